/* HOST PORT COUNT: see ../loops. */

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static struct event_base *base;
static struct addrinfo *to;
static int open_now;
static double most, last;

static double now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void on_tick(evutil_socket_t fd, short what, void *none)
{
	(void)fd, (void)what, (void)none;
	double now = now_ms();
	if (now - last - 1 > most)
		most = now - last - 1;
	last = now;
}

static void on_read(struct bufferevent *one, void *none)
{
	(void)none;
	bufferevent_free(one);
	if (--open_now == 0)
		event_base_loopbreak(base);
}

static void on_event(struct bufferevent *one, short what, void *none)
{
	(void)none;
	if (what & BEV_EVENT_CONNECTED)
		bufferevent_write(one, "word", 4);
	else
		exit(1);
}

static void begin(int count)
{
	open_now = count;
	while (count-- > 0) {
		struct bufferevent *one = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
		bufferevent_setcb(one, on_read, NULL, on_event, NULL);
		bufferevent_enable(one, EV_READ | EV_WRITE);
		bufferevent_socket_connect(one, to->ai_addr, (int)to->ai_addrlen);
	}
}

static double gap(void)
{
	last = now_ms();
	most = 0;
	begin(1);
	event_base_dispatch(base);
	on_tick(-1, 0, NULL);
	return most;
}

int main(int argc, char **argv)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	const struct timeval tick = {.tv_usec = 1000};
	if (argc != 4 || getaddrinfo(argv[1], argv[2], &hints, &to) != 0)
		return 2;
	base = event_base_new();
	event_add(event_new(base, -1, EV_PERSIST, on_tick, NULL), &tick);
	double first = gap();
	for (int i = 0; i < (atoi(argv[3]) - 2) / 20; i++) {
		begin(20);
		event_base_dispatch(base);
	}
	printf("%f %f\n", first, gap());
	return 0;
}
