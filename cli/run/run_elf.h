#ifndef GS_RUN_ELF_H
#define GS_RUN_ELF_H

#include <stdbool.h>

/* Must all opens of the command (looked for in PATH as execvp does) be seen, so that it finds names
 * in /etc/hosts? A position-independent program that reads that file itself, being static or
 * written in Go, has its text where shared libraries lie, so that the filter cannot tell its opens
 * by their place. */
bool run_elf_wants_opens(const char *command);

/* Is there such a file at all? */
bool run_elf_exists(const char *command);

#endif
