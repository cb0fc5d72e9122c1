#ifndef GS_TEST_KERNEL_H
#define GS_TEST_KERNEL_H

/*
 * What every program in this folder is made of. Each tries one thing that the project believes of
 * the kernel, says which kernel it saw, and ends with 0 (it holds), 1 (it does not: one line says
 * what was seen) or 77 (it cannot be tried here: one line says why). Nothing waits for a time: what
 * does not come is ended by a watchdog.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define print_like(text, rest) __attribute__((format(printf, text, rest)))

/* Say what is believed, and of which kernel; start the watchdog. First in main(). Where the
 * environment has GS_KERNEL_USER, root becomes that user, an ordinary one. */
void believe(const char *what);

/* The end of main(): it holds. */
int it_holds(void);

/* Something worth knowing that decides nothing. */
void seen(const char *format, ...) print_like(1, 2);

/* It does not hold: tell what was seen and end. */
_Noreturn void wrong(const char *format, ...) print_like(1, 2);

/* It cannot be tried here: tell why and end. */
_Noreturn void skip(const char *format, ...) print_like(1, 2);

#define expect(condition, ...)                                                                     \
	do {                                                                                       \
		if (!(condition))                                                                  \
			wrong(__VA_ARGS__);                                                        \
	} while (0)

/* Is this kernel that version or newer? Only where a belief is about versions. */
bool kernel_since(unsigned major, unsigned minor);

/* The first line of a file of /proc or /sys as a number; -1: not there. */
long number_in(const char *path);

/* Memory that is shared with children, zeroed. */
void *shared(size_t size);

/* Run body(arg) in a child, which ends with us; what it returns is its exit status. */
typedef int body_function(void *arg);
pid_t start(body_function *body, void *arg);

/* Wait for a child's end: its exit status, or minus the signal. */
int ended(pid_t pid);

/* Wait until the process or thread is in this state: a letter of proc(5), as S, T or Z. */
void wait_state(pid_t pid, char state);

/* Wait until it sleeps, be it where signals wake it (S) or not (D). */
void wait_asleep(pid_t pid);

/* Become an ordinary user and stay one that others may look into. */
void become(uid_t uid);

/* Skip where Yama's ptrace_scope does not even let an ordinary user look into its children. */
void need_to_look_into_children(void);

/* The errno of a call that returns -1, else 0. */
int error_of(long result);

#endif
