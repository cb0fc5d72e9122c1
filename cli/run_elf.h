#ifndef GS_RUN_ELF_H
#define GS_RUN_ELF_H

#include <stdbool.h>

/* Is the command (looked for in PATH as execvp does) a position-independent static program? Its
 * text lies where shared libraries lie, so that the filter cannot tell its opens by their place. */
bool run_elf_is_static_pie(const char *command);

#endif
