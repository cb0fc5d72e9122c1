#include "supervisor/process/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "supervisor/kernel/filter.h"
#include "supervisor/kernel/pass.h"

#define AGAIN_PAUSE 5000000L /* ns between two questions … */
#define AGAIN_TRIES 400      /* … of this many */

static void say(int socket, int stage, int error, int fd)
{
	struct command_word word = {.stage = stage, .error = error};
	if (pass_send(socket, &word, sizeof(word), fd) < 0)
		_exit(1);
}

int command_listener(int socket, struct command_word *word)
{
	int fd;
	if (pass_receive(socket, word, sizeof(*word), &fd) != sizeof(*word))
		*word = (struct command_word){.stage = STAGE_KEEPER, .error = ECHILD};
	return fd;
}

/* sd_listen_fds(3): the descriptors are for the process that LISTEN_PID names. */
static void pass_listen_fds(pid_t launcher)
{
	const char *pid = getenv("LISTEN_PID");
	char text[16];
	if (!pid || strtol(pid, NULL, 10) != launcher)
		return;
	snprintf(text, sizeof(text), "%d", (int)getpid());
	setenv("LISTEN_PID", text, 1);
}

/* Entries of LD_PRELOAD are told apart by blanks and colons (ld.so(8)). */
static bool is_in_list(const char *list, const char *entry)
{
	size_t len = strlen(entry);
	for (const char *at = list; (at = strstr(at, entry)); at += len)
		if ((at == list || strchr(" :", at[-1])) && strchr(" :", at[len]))
			return true;
	return false;
}

int command_preload(const char *shim)
{
	const char *others = getenv("LD_PRELOAD");
	char *all = NULL;
	if (others && is_in_list(others, shim))
		return 0; /* inside another launch */
	if (!others || !*others)
		return setenv("LD_PRELOAD", shim, 1);
	if (asprintf(&all, "%s:%s", shim, others) < 0)
		return -1;
	return setenv("LD_PRELOAD", all, 1);
}

/* One call that is seen, which the supervisor answers by all the means that it has. */
static struct command_word ask(const struct filter_wants *wants, int socket, bool *again)
{
	struct control_trial trial = {
		{CONTROL_VERSION, CONTROL_TRIAL, 0, sizeof(trial)}, socket, 0, 0, 0};
	struct command_word word = {0};
	if (syscall(wants->initiates ? SYS_connect : SYS_bind, QUESTION_FD, &trial, sizeof(trial)) <
	    0)
		word = (struct command_word){STAGE_NEED, errno,
					     errno == EBADF ? NEED_READ : NEED_MEM};
	else if (trial.header.op != CONTROL_REPLY)
		word = (struct command_word){STAGE_NEED, EPROTO, NEED_ANSWER};
	else if (trial.error)
		word = (struct command_word){STAGE_NEED, trial.error, (int)trial.need};
	else if (close(trial.fd) < 0)
		word = (struct command_word){STAGE_NEED, errno, NEED_ADDFD};
	*again = trial.again;
	return word;
}

static void try_to_be_served(const struct filter_wants *wants, int socket)
{
	const struct timespec pause = {.tv_nsec = AGAIN_PAUSE};
	bool again;
	struct command_word word = ask(wants, socket, &again);
	for (int i = 0; i < AGAIN_TRIES && again && !word.stage; i++) {
		nanosleep(&pause, NULL);
		word = ask(wants, socket, &again);
	}
	if (send(socket, &word, sizeof(word), MSG_NOSIGNAL) < 0 || word.stage)
		_exit(1);
}

_Noreturn void command_run(const struct launch *launch, int socket)
{
	bool no_new_privs;
	char go;
	pass_listen_fds(launch->launcher);
	if (launch->preload && command_preload(launch->preload) < 0) {
		say(socket, STAGE_KEEPER, errno, -1);
		_exit(1);
	}
	int fd = filter_install(&launch->wants, &no_new_privs);
	if (fd < 0) {
		say(socket, STAGE_FILTER, -fd, -1);
		_exit(1);
	}
	say(socket, STAGE_NONE, 0, fd);
	close(fd);
	try_to_be_served(&launch->wants, socket);
	if (recv(socket, &go, sizeof(go), 0) != sizeof(go))
		_exit(1);
	sigaction(SIGCHLD, &launch->child_action, NULL);
	sigprocmask(SIG_SETMASK, &launch->mask, NULL);
	execvp(launch->command[0], launch->command);
	say(socket, STAGE_EXEC, errno, -1);
	_exit(127);
}
