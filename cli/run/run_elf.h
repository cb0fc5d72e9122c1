#ifndef GS_RUN_ELF_H
#define GS_RUN_ELF_H

#include <stdbool.h>

/* Whether all opens of the command (searched in PATH as execvp does) must be seen, so that it
 * finds names in /etc/hosts. A position-independent program that reads that file itself (static,
 * or written in Go) has its code at addresses of shared libraries, so the filter cannot
 * recognise its opens by address. */
bool run_elf_wants_opens(const char *command);

/* Whether such a file exists. */
bool run_elf_exists(const char *command);

#endif
