#ifndef GW_STATE_DIR_H
#define GW_STATE_DIR_H

/* The gateway's folder (--state): private files that are replaced as a whole, and the lock that
 * keeps a second gateway out. */

#include <stddef.h>

#define STATE_FILE_MAX (64 * 1024 * 1024)

struct state_dir {
	const char *path; /* as the user wrote it */
	int fd, lock;
};

/* Open the folder, made with mode 0700 where there is none, and lock it. 0; -EBUSY: another gateway
 * has it; -EPERM: it is another user's, or others may write to it; else -errno. */
int state_dir_open(struct state_dir *dir, const char *path);
void state_dir_close(struct state_dir *dir);

/* The whole of a file, NUL-terminated, *len bytes before that; free() it. 0, -ENOENT, -EFBIG, else
 * -errno. */
int state_dir_read(const struct state_dir *dir, const char *name, char **text, size_t *len);

/* Replace a file, mode 0600: it is written beside and then renamed, so that whoever opens it, and
 * whoever comes after a power cut, finds the old or the new one. 0 or -errno; may take as long as
 * the disk does. */
int state_dir_write(const struct state_dir *dir, const char *name, const char *text, size_t len);

void state_dir_remove(const struct state_dir *dir, const char *name);

#endif
