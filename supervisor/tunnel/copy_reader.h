#ifndef GS_COPY_READER_H
#define GS_COPY_READER_H

/*
 * Who reads /etc/hosts? Resolvers get our names in it. Tools that work on files' text or copy files
 * resolve nothing, and what they read may be written back: they get the file as it is, so that
 * nothing of ours is in it afterwards.
 */

#include <stdbool.h>

/* For the child that makes the copy. */
struct reader {
	char file[4096];
};

/* What runs there, as long as we may still look: its file. */
void reader_look(struct reader *reader, int tid);

/* Is it such a tool, by the name of its file, or of a busybox by its first word? Not known: no.
 * This may wait for the program's memory. */
bool reader_is_editor(struct reader *reader, int tid);

#endif
