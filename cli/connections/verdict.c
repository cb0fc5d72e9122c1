#include "cli/connections/verdict.h"

#include <string.h>

#define IDLE_MS     2000 /* without any data */
#define LOST_IN     200  /* one packet in so many */
#define LATE_IN     50   /* the same of those that come too early */
#define BUSY_PART   2    /* of the time: half of it */
#define BUFFER_PART 3
#define BUFFER_FEW  131072 /* bytes, as the kernel counts them: a program has chosen so few */

static const struct {
	const char *name, *brief, *text;
} words[VERDICT_COUNT] = {
	[VERDICT_NOTHING] = {"none", "nothing limits it", "nothing limits it"},
	[VERDICT_PROGRAM_SENDS] = {"program-sends", "program sends less",
				   "your program sends less than the path takes"},
	[VERDICT_BUFFER] = {"send-buffer", "send buffer is small",
			    "the send buffer of your program is too small"},
	[VERDICT_TUNNEL] = {"tunnel", "tunnel takes no more",
			    "the tunnel takes no more: the far program or the wide-area path"},
	[VERDICT_LAN] = {"lan", "LAN loses packets", "the LAN loses packets"},
	[VERDICT_PROGRAM_READS] = {"program-reads", "program reads slowly",
				   "your program reads slowly"},
	[VERDICT_READS_ALL] = {"reads-all", "reads all that comes",
			       "your program reads all that comes"},
	[VERDICT_IDLE] = {"idle", "idle", "idle: neither side sends"},
	[VERDICT_HANDSHAKE] = {"handshake", "authenticating", "authenticating"},
	[VERDICT_CONNECTING] = {"connecting", "connecting", "connecting to the access point"},
	[VERDICT_CLOSING] = {"closing", "closing", "closing"},
	[VERDICT_NEW] = {"new", "new", "new: not measured yet"},
};

const char *verdict_name(enum verdict verdict)
{
	return words[verdict].name;
}

const char *verdict_short(enum verdict verdict)
{
	return words[verdict].brief;
}

const char *verdict_text(enum verdict verdict)
{
	return words[verdict].text;
}

static bool is_closing(const struct sockets_look *now)
{
	return now->state == SOCKETS_FIN_ANSWERED || now->state == SOCKETS_FINS_CROSS ||
	       now->inode == 0;
}

/* It has read nothing of what lay there all the while, or its queue stays half full. */
static bool reads_slowly(const struct sockets_look *before, const struct sockets_look *now)
{
	if (!before->unread || !now->unread)
		return false;
	if (now->received - now->unread == before->received - before->unread)
		return true;
	return before->memory >= before->memory_most / 2 && now->memory >= now->memory_most / 2;
}

/* Within a machine only a receiver without room drops packets. */
static bool is_within(const struct sockets_look *now)
{
	static const uint8_t ipv6[16] = {[15] = 1}, ipv4[13] = {[10] = 0xff, 0xff, 127};
	return memcmp(now->peer.address, ipv6, sizeof(ipv6)) == 0 ||
	       memcmp(now->peer.address, ipv4, sizeof(ipv4)) == 0;
}

/* So many that they slow TCP down: of the packets since the look before, else of all. */
static bool loses(const struct sockets_look *before, const struct sockets_look *now)
{
	unsigned lost = now->info.tcpi_total_retrans, sent = now->info.tcpi_data_segs_out;
	if (sent != before->info.tcpi_data_segs_out) {
		lost -= before->info.tcpi_total_retrans;
		sent -= before->info.tcpi_data_segs_out;
	}
	return lost && lost >= sent / LOST_IN && !is_within(now);
}

/* Of what comes in, a gap shows: all that follows it is out of order until it is filled. */
static bool loses_incoming(const struct sockets_look *before, const struct sockets_look *now)
{
	unsigned late = now->info.tcpi_rcv_ooopack - before->info.tcpi_rcv_ooopack;
	unsigned came = now->info.tcpi_data_segs_in - before->info.tcpi_data_segs_in;
	return late && late >= came / LATE_IN && !is_within(now);
}

static enum verdict of_sending(const struct sockets_look *before, const struct sockets_look *now,
			       long long us)
{
	long long busy = (long long)(now->info.tcpi_busy_time - before->info.tcpi_busy_time);
	long long closed =
		(long long)(now->info.tcpi_rwnd_limited - before->info.tcpi_rwnd_limited);
	long long full =
		(long long)(now->info.tcpi_sndbuf_limited - before->info.tcpi_sndbuf_limited);
	if (busy < us / BUSY_PART)
		return VERDICT_PROGRAM_SENDS;
	/* Also where packets are lost: who has no room drops them. */
	if (closed >= busy / BUSY_PART)
		return VERDICT_TUNNEL;
	if (loses(before, now))
		return VERDICT_LAN;
	bool small = now->send_most < BUFFER_FEW && full >= busy / BUFFER_PART;
	return small ? VERDICT_BUFFER : VERDICT_NOTHING;
}

static bool is_idle(const struct sockets_look *before, const struct sockets_look *now)
{
	return !now->unsent && now->sent == before->sent && now->received == before->received &&
	       now->info.tcpi_last_data_sent >= IDLE_MS && now->info.tcpi_last_data_recv >= IDLE_MS;
}

/* Which way the data goes: by what moved in between, else by what moved last. */
static bool sends(const struct sockets_look *before, const struct sockets_look *now)
{
	unsigned long long out = now->sent - before->sent, in = now->received - before->received;
	if (now->unsent || out || in)
		return now->unsent || out >= in;
	return now->info.tcpi_last_data_sent <= now->info.tcpi_last_data_recv;
}

enum verdict verdict_of(const struct sockets_look *before, const struct sockets_look *now,
			long long us, bool authenticated)
{
	if (now->state == SOCKETS_CONNECTING)
		return VERDICT_CONNECTING;
	if (!authenticated)
		return VERDICT_HANDSHAKE;
	if (is_closing(now))
		return VERDICT_CLOSING;
	if (!before)
		return VERDICT_NEW;
	if (reads_slowly(before, now))
		return VERDICT_PROGRAM_READS;
	if (is_idle(before, now))
		return VERDICT_IDLE;
	if (sends(before, now))
		return of_sending(before, now, us);
	return loses_incoming(before, now) ? VERDICT_LAN : VERDICT_READS_ALL;
}
