#ifndef GS_COMPLETION_H
#define GS_COMPLETION_H

#include "cli/command/command.h"

/* For the shells' completions: print what can stand in place of the last of the words (argv,
 * without the program's name), one a line: the word, a tab, what it means. Asks no service. The
 * exit status. */
int completion_print(const struct command *root, const struct option_spec *common, int argc,
		     char **argv);

#endif
