#ifndef GS_BENCH_WORKER_H
#define GS_BENCH_WORKER_H

/*
 * bench-worker: measures what it is told to on standard input, a line a command, and answers with a
 * line of numbers, times in nanoseconds. What goes wrong ends it, with a line on stderr.
 *
 * Where a command has WHERE, that is four words: HOST PORT PEER CONF. PEER is the port that
 * getpeername() has to show: that of the access point, whatever HOST and PORT were. CONF is the
 * conf file with the secret for a handshake inside the program, or "-": none, or the supervisor's.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "tests/bench/bench.h"

#define WORDS_MAX 8

/* Where to connect to. */
struct where {
	struct sockaddr_storage address;
	socklen_t len;
	int family;
	uint16_t peer;
	bool calls; /* it does the handshake itself */
	struct secret secret;
};

/* The next word of the command as a number; dies where there is none. */
long word_number(char ***words, long min, long max);
const char *word(char ***words);

/* The four words that say where to; resolved by getaddrinfo(3), once a command. */
void where_read(struct where *where, char ***words);

/* Answer. */
void answer(const uint64_t *values, size_t count);
void answer_one(uint64_t value);

/* Until the handshake is over: the socket; *took is how long that was. Dies. */
int where_connect(const struct where *where, uint64_t *took);

/* Send a message and get it back. Dies where it comes back changed. */
void exchange(int fd, struct message *message);

/* Close with a RST, so that no TIME_WAIT is left. */
void drop(int fd);

/* connections.c: through a tunnel or not.
 *
 *     connect COUNT WHERE        how long each connect() took
 *     accept COUNT WHERE         from connect() until accept() has returned in the server
 *     first COUNT WHERE          from connect() until the first message is back
 *     exchange COUNT WHERE       the round trip of each message, on one connection that is kept
 *     storm PROCESSES EACH WHERE time in which all of them have connected so often
 *     hold COUNT WHERE           keep so many connections open: how many there are
 */
void connect_command(char **words);
void accept_command(char **words);
void first_command(char **words);
void exchange_command(char **words);
void storm_command(char **words);
void hold_command(char **words);

/* calls.c: calls that are not for a tunnel.
 *
 *     call NAME COUNT            all calls together
 *     take COUNT                 each accept() on a port that is no tunnel's
 *     bind COUNT                 each bind() to such a port
 */
void call_command(char **words);
void take_command(char **words);
void bind_command(char **words);

/* processes.c: others beside this one.
 *
 *     idle COUNT                 have so many processes that do nothing
 *     block COUNT PORT           have so many processes that wait in accept() on PORT
 *     which                      its own process id
 */
void idle_command(char **words);
void block_command(char **words);
void which_command(char **words);

#endif
