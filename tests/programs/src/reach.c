/*
 * Names, looked up in ways that pass by the functions that a preloaded library stands in front of.
 *
 *     reach async HOST PORT          getaddrinfo_a(), waited for
 *     reach later HOST PORT          the same, waited for afterwards
 *     reach deep PLUGIN HOST PORT    by a library that sees its own libraries first (RTLD_DEEPBIND)
 *     reach old PLUGIN HOST PORT     the same with the functions before getaddrinfo()
 *     reach sandboxed HOST PORT      by a program whose filter kills it for connect()
 *     reach missing                  opens of what is no path
 *
 * Each prints the addresses that HOST has, or the error.
 */

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netdb.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "reach.h"

static const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};

static int show(int rc, const struct addrinfo *list)
{
	char host[256];
	if (rc)
		printf("%s\n", gai_strerror(rc));
	for (; !rc && list; list = list->ai_next) {
		getnameinfo(list->ai_addr, list->ai_addrlen, host, sizeof(host), NULL, 0,
			    NI_NUMERICHOST);
		printf("%s\n", host);
	}
	return rc != 0;
}

static int async(int mode, const char *host, const char *port)
{
	struct gaicb one = {.ar_name = host, .ar_service = port, .ar_request = &hints};
	struct gaicb *list[] = {&one};
	int rc = getaddrinfo_a(mode, list, 1, NULL);
	while (rc == 0 && gai_error(&one) == EAI_INPROGRESS)
		gai_suspend((const struct gaicb *const *)list, 1, NULL);
	return show(rc ? rc : gai_error(&one), one.ar_result);
}

static int deep(const char *plugin, const char *function, const char *host, const char *port)
{
	void *library = dlopen(plugin, RTLD_NOW | RTLD_DEEPBIND);
	reach_fn *call = library ? (reach_fn *)dlsym(library, function) : NULL;
	if (!call) {
		fprintf(stderr, "reach: %s\n", dlerror());
		return 2;
	}
	return call(host, port);
}

static int sandboxed(const char *host, const char *port)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_connect, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
	struct addrinfo *list = NULL;
	if (getaddrinfo("localhost", port, &hints, &list) == 0) /* now libc knows of no nscd */
		freeaddrinfo(list);
	list = NULL;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) {
		perror("reach: filter");
		return 2;
	}
	int rc = getaddrinfo(host, port, &hints, &list);
	return show(rc, list);
}

static int missing(void)
{
	const char *const paths[] = {NULL, (const char *)1, (const char *)-1, "", "/etc/host"};
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		errno = 0;
		int fd = open(paths[i], O_RDONLY);
		printf("%d %s\n", fd, strerror(errno));
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	alarm(30);
	if (argc == 4 && strcmp(how, "async") == 0)
		return async(GAI_WAIT, argv[2], argv[3]);
	if (argc == 4 && strcmp(how, "later") == 0)
		return async(GAI_NOWAIT, argv[2], argv[3]);
	if (argc == 5 && strcmp(how, "deep") == 0)
		return deep(argv[2], "reach_new", argv[3], argv[4]);
	if (argc == 5 && strcmp(how, "old") == 0)
		return deep(argv[2], "reach_old", argv[3], argv[4]);
	if (argc == 4 && strcmp(how, "sandboxed") == 0)
		return sandboxed(argv[2], argv[3]);
	if (argc == 2 && strcmp(how, "missing") == 0)
		return missing();
	return 2;
}
