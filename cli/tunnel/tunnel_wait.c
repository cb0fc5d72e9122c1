#include "cli/tunnel/tunnel_wait.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "cli/base/clock.h"
#include "cli/base/patience.h"
#include "cli/base/say.h"
#include "cli/service/standing.h"

#define STEP_NS   (50 * 1000 * 1000)
#define PAUSE_MIN 1 /* seconds between two requests, growing with the time waited */
#define PAUSE_MAX 5

bool tunnel_wait_pause(const char *what, long long start)
{
	long long now = clock_ms(), pause = (now - start) / 10000 + PAUSE_MIN;
	long long until = now + (pause > PAUSE_MAX ? PAUSE_MAX : pause) * 1000;
	if (!patience_left_ms(1))
		return false;
	say_waiting(what);
	while (clock_ms() < until && patience_left_ms(1) && !patience_gives_up(0)) {
		nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
		say_tick();
	}
	return !patience_gives_up(0);
}

static int too_long(struct cli *cli, struct tunnel *tunnel, const char *state, long long seconds)
{
	say_waiting(NULL);
	if (patience_gives_up(0))
		patience_fail(&cli->failure, "");
	else
		failure_set(&cli->failure, STATUS_FAILED,
			    "tunnel %s is not %s after %lld s (state %s); see: globus-streams "
			    "tunnel events %s",
			    tunnel->id, state, seconds, tunnel->state, tunnel->id);
	tunnel_finish(tunnel);
	return -1;
}

bool tunnel_wait_is_stopped(const struct tunnel *tunnel)
{
	return standing_ended(tunnel) && strcasecmp(tunnel->state, "STOPPING") != 0;
}

static bool is_ready(const struct tunnel *tunnel)
{
	return standing_active(tunnel) && tunnel->initiator_ip && tunnel->initiator_port;
}

static int wait_until(struct cli *cli, const char *id, bool (*reached)(const struct tunnel *),
		      const char *state, long long seconds, struct tunnel *tunnel)
{
	char what[96];
	long long start = clock_ms();
	*tunnel = (struct tunnel){0};
	patience_set(seconds);
	snprintf(what, sizeof(what), "waiting until tunnel %s is %s", id, state);
	for (;;) {
		struct tunnel now = {0};
		int err = transfer_tunnel(cli, id, &now);
		if (err && patience_left_ms(1)) {
			tunnel_finish(tunnel);
			return -1;
		}
		/* The time ran out during the request: use the answer before it. */
		if (err && tunnel->id)
			return too_long(cli, tunnel, state, seconds);
		tunnel_finish(tunnel);
		*tunnel = now;
		if (err)
			return failure_prefix(
				&cli->failure,
				"it is not known whether tunnel %s is %s after %lld s: ", id, state,
				seconds);
		if (reached(tunnel)) {
			say_waiting(NULL);
			return 0;
		}
		if (reached == is_ready && standing_ended(tunnel)) {
			standing_explain(cli, tunnel);
			tunnel_finish(tunnel);
			return -1;
		}
		if (!tunnel_wait_pause(what, start))
			return too_long(cli, tunnel, state, seconds);
	}
}

int tunnel_wait_active(struct cli *cli, const char *id, long long seconds, struct tunnel *tunnel)
{
	return wait_until(cli, id, is_ready, "active", seconds, tunnel);
}

int tunnel_wait_stopped(struct cli *cli, const char *id, long long seconds, struct tunnel *tunnel)
{
	return wait_until(cli, id, tunnel_wait_is_stopped, "stopped", seconds, tunnel);
}
