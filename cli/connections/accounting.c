#include "cli/connections/accounting.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/clock.h"
#include "cli/base/say.h"
#include "cli/service/json.h"

#define EVERY_MS    1000 /* between two looks, from which the processes are known */
#define AGAIN_LOOKS 10   /* the conf files are read again after so many */

struct accounting {
	struct cli *cli;
	struct survey *survey;
	struct places *places;
	const char *path;
	int file, ends;
};

static volatile sig_atomic_t reopen;

static void on_hangup(int number)
{
	reopen = true;
}

/* Nobody else may read it, and what another put there is not followed or filled. */
static int open_file(struct accounting *accounting)
{
	struct failure *failure = &accounting->cli->failure;
	struct stat st;
	cleanup_fd int fd =
		open(accounting->path,
		     O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		     0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return failure_set(failure, STATUS_FAILED, "cannot write %s: %s", accounting->path,
				   errno == ELOOP ? "it is a symbolic link" : strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 || st.st_mode & 077)
		return failure_set(failure, STATUS_FAILED,
				   "%s is not a file that only you may read; give another name",
				   accounting->path);
	if (accounting->file >= 0)
		close(accounting->file);
	accounting->file = steal_fd(&fd);
	return 0;
}

/* The line goes out by one write, so that a signal cuts none. */
static int put(struct accounting *accounting, const cJSON *document)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);
	if (!out)
		return -ENOMEM;
	json_print(document, false, out);
	putc('\n', out);
	int err = fclose(out) == 0 ? 0 : -ENOMEM;
	errno = 0;
	if (!err && write(accounting->file, text, len) != (ssize_t)len)
		err = errno ? -errno : -ENOSPC;
	free(text);
	return err;
}

static cJSON *begin_line(void)
{
	struct timespec now;
	cJSON *object = cJSON_CreateObject();
	clock_gettime(CLOCK_REALTIME, &now);
	cJSON_AddNumberToObject(object, "ended_ms",
				(double)now.tv_sec * 1000 + (double)(now.tv_nsec / 1000000));
	return object;
}

static void add_text(cJSON *object, const char *name, const char *value)
{
	if (value)
		cJSON_AddStringToObject(object, name, value);
	else
		cJSON_AddNullToObject(object, name);
}

/* What the last look knew of it. */
static void add_known(cJSON *object, const struct connection *known)
{
	bool process = known && known->pid;
	add_text(object, "process", process ? known->process : NULL);
	if (process)
		cJSON_AddNumberToObject(object, "pid", known->pid);
	else
		cJSON_AddNullToObject(object, "pid");
}

/* sockets_take */
static int take(void *context, const struct sockets_look *look)
{
	struct accounting *accounting = context;
	const struct place *place = places_find(accounting->places, look);
	char text[SOCKETS_END_TEXT];
	if (!place || !look->peer.port)
		return 0;
	uint64_t out = place_handshake_sent(place), in = place_handshake_received(place);
	bool whole = look->sent >= out && look->received >= in;
	cJSON *object = begin_line();
	add_text(object, "tunnel_id", place->id);
	add_text(object, "side", place->listener ? "listener" : "initiator");
	sockets_end_format(&look->here, text);
	add_text(object, "local", text);
	sockets_end_format(&look->peer, text);
	add_text(object, "peer", text);
	add_known(object, survey_find(accounting->survey, look->cookie));
	cJSON_AddBoolToObject(object, "authenticated", place->secured && whole);
	cJSON_AddNumberToObject(object, "sent_bytes", whole ? (double)(look->sent - out) : 0);
	cJSON_AddNumberToObject(object, "received_bytes",
				whole ? (double)(look->received - in) : 0);
	cJSON_AddNumberToObject(object, "retransmitted_packets", look->info.tcpi_total_retrans);
	cJSON_AddNumberToObject(object, "round_trip_us", look->info.tcpi_rtt);
	int err = put(accounting, object);
	cJSON_Delete(object);
	return err;
}

/* More ended than the kernel could keep. */
static int put_gap(struct accounting *accounting)
{
	cJSON *object = begin_line();
	cJSON_AddBoolToObject(object, "gap", true);
	int err = put(accounting, object);
	cJSON_Delete(object);
	return err;
}

static int take_ends(struct accounting *accounting)
{
	int err = sockets_ends_read(accounting->ends, take, accounting);
	if (err == -ENOBUFS)
		err = put_gap(accounting);
	if (err)
		return failure_set(&accounting->cli->failure, STATUS_FAILED, "cannot write %s: %s",
				   accounting->path, strerror(-err));
	return 0;
}

/* The new file, or with a warning the old one. */
static void open_again(struct accounting *accounting)
{
	reopen = false;
	if (open_file(accounting) == 0)
		return;
	say_warning("%s", accounting->cli->failure.text);
	failure_finish(&accounting->cli->failure);
}

static int loop(struct accounting *accounting)
{
	struct pollfd ends = {.fd = accounting->ends, .events = POLLIN};
	long long next = clock_ms();
	for (unsigned looks = 1;;) {
		if (clock_ms() >= next) {
			if (looks++ % AGAIN_LOOKS == 0)
				places_again(accounting->places, accounting->cli);
			if (survey_look(accounting->survey, accounting->places, true,
					&accounting->cli->failure) < 0)
				return -1;
			next = clock_ms() + EVERY_MS;
		}
		long long left = next - clock_ms();
		poll(&ends, 1, left > 0 ? (int)left : 0);
		if (reopen)
			open_again(accounting);
		if (take_ends(accounting) < 0)
			return -1;
	}
}

int accounting_run(struct cli *cli, struct survey *survey, struct places *places, const char *path)
{
	struct accounting accounting = {cli, survey, places, path, -1, -1};
	struct sigaction again = {.sa_handler = on_hangup};
	if (open_file(&accounting) < 0)
		return -1;
	cleanup_fd int ends = sockets_ends_open();
	if (ends < 0)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "the kernel does not list connections: %s", strerror(-ends));
	accounting.ends = ends;
	sigaction(SIGHUP, &again, NULL);
	int err = loop(&accounting);
	close(accounting.file);
	return err;
}
