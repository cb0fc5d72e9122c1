#include "contrib/gateway/relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "contrib/gateway/base/cleanup.h"

/*
 * Each way is moved along until the socket it reads from has nothing more or the socket it writes
 * to takes nothing more; both are known from EAGAIN, so the edge-triggered watch tells when to go
 * on. (EAGAIN from the splice into a pipe that is not empty may also mean that the pipe is full, by
 * slots rather than bytes. It is then emptied and filled again, so the two need not be told apart.)
 *
 * A way ends with the FIN of its reader's peer, which is passed on as a FIN once the pipe is empty.
 * When both ways have ended, it is over.
 *
 * A socket that fails (a RST, a time-out) is broken: what its peer sent before is still read and
 * delivered, as a kernel would, and then it is over, with a RST for the other socket. Data that was
 * written to that other socket and not yet acknowledged would be lost with a RST, so it gets a
 * moment to arrive.
 */

#define HELD_MAX      (1024 * 1024) /* bytes in one pipe; what a way can cost in memory */
#define TURN_MAX      HELD_MAX      /* bytes moved in a turn before others have theirs */
#define PATIENCE      1000          /* ms for what a broken socket left behind */
#define PATIENCE_STEP 10            /* ms */

enum progress {
	WAITING, /* for one of the sockets */
	MORE,    /* the turn is over, there is more to do */
	ENDED,
	READER_BROKE,
	WRITER_BROKE,
};

static void give_pipe(struct relay *relay, struct relay_way *way)
{
	if (way->pipe)
		pipes_give(relay->pipes, way->pipe, way->held == 0);
	way->pipe = NULL;
	way->held = 0;
}

/* Fill the pipe: bytes read; 0 at the end of the stream; -errno. */
static ssize_t fill(struct relay *relay, struct relay_way *way, int from)
{
	ssize_t got;

	if (!way->pipe && !(way->pipe = pipes_take(relay->pipes)))
		return -errno;
	got = splice(from, NULL, way->pipe->in, NULL, HELD_MAX - way->held,
		     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (got > 0)
		way->held += (size_t)got;
	return got < 0 ? -errno : got;
}

/* Empty the pipe as far as the socket takes it: bytes written, or -errno. */
static ssize_t drain(struct relay_way *way, int to)
{
	size_t before = way->held;

	while (way->held > 0) {
		ssize_t put = splice(way->pipe->out, NULL, to, NULL, way->held,
				     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (put < 0)
			return -errno;
		way->held -= (size_t)put;
	}
	return (ssize_t)before;
}

static enum progress end_way(struct relay *relay, struct relay_way *way, int to)
{
	shutdown(to, SHUT_WR);
	way->ended = true;
	give_pipe(relay, way);
	return ENDED;
}

static enum progress move(struct relay *relay, int reader)
{
	struct relay_way *way = &relay->ways[reader];
	int from = relay->ends[reader], to = relay->ends[!reader];
	ssize_t moved = 0, got, put;

	if (way->ended)
		return ENDED;
	while (moved < TURN_MAX) {
		got = way->held < HELD_MAX ? fill(relay, way, from) : -EAGAIN;
		if (got < 0 && got != -EAGAIN)
			relay->broken[reader] = true; /* said once: from now on splice() gives 0 */
		if (got <= 0 && way->held == 0) {
			if (relay->broken[reader])
				return READER_BROKE;
			if (got == 0)
				return end_way(relay, way, to);
			give_pipe(relay, way);
			return WAITING;
		}
		put = drain(way, to);
		if (put == -EAGAIN)
			return WAITING;
		if (put < 0)
			return WRITER_BROKE;
		moved += put;
	}
	return MORE;
}

/* --- the end --- */

void relay_stop(struct relay *relay)
{
	loop_disarm(relay->loop, &relay->linger);
	loop_cancel(relay->loop, &relay->again);
	for (int i = 0; i < RELAY_ENDS; i++)
		give_pipe(relay, &relay->ways[i]);
}

static void end(struct relay *relay, bool broke)
{
	relay_stop(relay);
	relay->over(relay, broke);
}

static bool all_acknowledged(int fd)
{
	int unsent = 0;

	return ioctl(fd, SIOCOUTQ, &unsent) < 0 || unsent == 0;
}

/* End 'broken' failed: deliver what it left behind, then break the other end too. */
static void wind_up(struct relay *relay, int broken)
{
	enum progress progress = move(relay, broken);
	bool done = progress == READER_BROKE || progress == ENDED;
	int64_t now = loop_now(relay->loop);

	if (!relay->patience)
		relay->patience = now + PATIENCE;
	if (progress == MORE)
		loop_later(relay->loop, &relay->again);
	else if (relay->broken[!broken] || progress == WRITER_BROKE || now >= relay->patience ||
		 (done && all_acknowledged(relay->ends[!broken])) ||
		 loop_arm(relay->loop, &relay->linger, now + PATIENCE_STEP) < 0)
		end(relay, true);
}

/* Move one way along, and note what that tells of the sockets. */
static void try_way(struct relay *relay, int reader)
{
	enum progress progress = move(relay, reader);

	if (progress == READER_BROKE)
		relay->broken[reader] = true;
	if (progress == WRITER_BROKE)
		relay->broken[!reader] = true;
	relay->ways[reader].more = progress == MORE;
	if (progress == MORE)
		loop_later(relay->loop, &relay->again);
}

static bool broken(const struct relay *relay)
{
	return relay->broken[0] || relay->broken[1];
}

static void check_end(struct relay *relay)
{
	if (broken(relay))
		wind_up(relay, relay->broken[0] ? 0 : 1);
	else if (relay->ways[0].ended && relay->ways[1].ended)
		end(relay, false);
}

static void go_on(struct later *again)
{
	struct relay *relay = container_of(again, struct relay, again);

	for (int i = 0; i < RELAY_ENDS && !broken(relay); i++) {
		if (relay->ways[i].more)
			try_way(relay, i);
	}
	check_end(relay);
}

static void go_on_lingering(struct timer *linger)
{
	check_end(container_of(linger, struct relay, linger));
}

void relay_event(struct relay *relay, int end, uint32_t events)
{
	if (events & EPOLLERR)
		relay->broken[end] = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP) && !broken(relay))
		try_way(relay, end);
	if (events & EPOLLOUT && relay->ways[!end].held > 0 && !broken(relay))
		try_way(relay, !end);
	check_end(relay);
}

void relay_start(struct relay *relay, struct loop *loop, struct pipes *pipes, int a, int b,
		 void (*over)(struct relay *relay, bool broke))
{
	memset(relay, 0, sizeof(*relay));
	relay->loop = loop;
	relay->pipes = pipes;
	relay->ends[0] = a;
	relay->ends[1] = b;
	relay->again.run = go_on;
	relay->linger.fire = go_on_lingering;
	relay->over = over;
	relay->ways[0].more = relay->ways[1].more = true;
	loop_later(loop, &relay->again); /* what came before the relay made no new edge for it */
}
