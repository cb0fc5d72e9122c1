/* What limits a connection, by two looks at it; and how its numbers are written. */

#include "cli/connections/verdict.h"

#include <string.h>

#include "cli/connections/quantity.h"
#include "tests/unit/suite.h"

#define SECOND 1000000

/* What differs from a connection that has its descriptor, is established and authenticated, has
 * sent 1000 bytes in 10 packets before, and whose queue of 1000 bytes is empty. */
struct change {
	uint64_t sent, received;
	uint32_t unread_before, unread, memory, unsent;
	uint64_t busy, closed, full; /* of the second between */
	uint32_t lost, packets, late, came, quiet_sent, quiet_received;
	uint8_t state;
	bool strange, no_descriptor, within, first;
	uint32_t room;
};

static const struct {
	const char *what;
	struct change change;
	enum verdict verdict;
} cases[] = {
	{"a bulk sender", {.sent = 1000000, .unsent = 9000, .busy = SECOND}, VERDICT_NOTHING},
	{"busy, of which its window was closed less than half",
	 {.sent = 1000000, .busy = SECOND, .closed = SECOND / 2 - 1},
	 VERDICT_NOTHING},
	{"half of it", {.sent = 1, .busy = SECOND, .closed = SECOND / 2}, VERDICT_TUNNEL},
	{"nothing went out, the window is closed",
	 {.unsent = 90000, .busy = SECOND, .closed = SECOND, .quiet_sent = 60000},
	 VERDICT_TUNNEL},
	{"a closed window, and who is behind it has dropped packets",
	 {.sent = 100, .packets = 10, .lost = 5, .busy = SECOND, .closed = SECOND},
	 VERDICT_TUNNEL},
	{"a small send buffer",
	 {.sent = 100000, .busy = SECOND, .full = SECOND / 3, .room = 65536},
	 VERDICT_BUFFER},
	{"a large one that is full at times",
	 {.sent = 100000, .busy = SECOND, .full = SECOND / 3, .room = 4000000},
	 VERDICT_NOTHING},
	{"lost within this machine",
	 {.sent = 100000, .packets = 1000, .lost = 10, .busy = SECOND, .within = true},
	 VERDICT_NOTHING},
	{"a slow writer", {.sent = 5000, .busy = SECOND / 10}, VERDICT_PROGRAM_SENDS},
	{"one that waits for each answer",
	 {.sent = 5000, .received = 5000, .busy = SECOND / 3},
	 VERDICT_PROGRAM_SENDS},
	{"one that wrote a moment ago",
	 {.quiet_sent = 1500, .quiet_received = 9000},
	 VERDICT_PROGRAM_SENDS},
	{"one packet of a hundred was lost",
	 {.sent = 100000, .packets = 1000, .lost = 10, .busy = SECOND},
	 VERDICT_LAN},
	{"one packet of a thousand was",
	 {.sent = 100000, .packets = 1000, .lost = 1, .busy = SECOND},
	 VERDICT_NOTHING},
	{"what comes in has gaps", {.received = 100000, .came = 1000, .late = 30}, VERDICT_LAN},
	{"a few packets changed places",
	 {.received = 100000, .came = 1000, .late = 3},
	 VERDICT_READS_ALL},
	{"it has read nothing for a second",
	 {.unread_before = 7, .unread = 7, .quiet_received = 60000},
	 VERDICT_PROGRAM_READS},
	{"nor though more has come",
	 {.received = 93, .unread_before = 7, .unread = 100},
	 VERDICT_PROGRAM_READS},
	{"it reads, and the queue stays half full",
	 {.received = 1000, .unread_before = 400, .unread = 300, .memory = 500},
	 VERDICT_PROGRAM_READS},
	{"it reads, and little waits",
	 {.received = 1000, .unread_before = 4, .unread = 300, .memory = 499},
	 VERDICT_READS_ALL},
	{"it reads all", {.received = 1000}, VERDICT_READS_ALL},
	{"nothing for two seconds", {.quiet_sent = 2000, .quiet_received = 2000}, VERDICT_IDLE},
	{"the handshake is not over", {.strange = true, .unread = 3}, VERDICT_HANDSHAKE},
	{"there was no look before", {.first = true, .unsent = 9}, VERDICT_NEW},
	{"not connected", {.strange = true, .state = SOCKETS_CONNECTING}, VERDICT_CONNECTING},
	{"both ends are closed", {.state = SOCKETS_FIN_ANSWERED, .unsent = 3}, VERDICT_CLOSING},
	{"the program has closed it", {.no_descriptor = true}, VERDICT_CLOSING},
	{"it sends though nothing more will come",
	 {.state = SOCKETS_FIN_CAME, .sent = 1000, .busy = SECOND},
	 VERDICT_NOTHING},
};

START_TEST(test_verdict)
{
	const struct change *change = &cases[_i].change;
	struct sockets_look before = {.inode = 1,
				      .state = SOCKETS_ESTABLISHED,
				      .sent = 1000,
				      .received = 1000,
				      .unread = change->unread_before,
				      .memory = 500,
				      .memory_most = 1000,
				      .info = {.tcpi_data_segs_out = 10}};
	before.peer.address[10] = before.peer.address[11] = 0xff;
	before.peer.address[12] = change->within ? 127 : 192;
	struct sockets_look now = before;
	now.send_most = change->room;
	now.inode = !change->no_descriptor;
	now.state = change->state ? change->state : SOCKETS_ESTABLISHED;
	now.sent += change->sent;
	now.received += change->received;
	now.unread = change->unread;
	now.unsent = change->unsent;
	now.memory = change->memory;
	now.info.tcpi_busy_time += change->busy;
	now.info.tcpi_rwnd_limited += change->closed;
	now.info.tcpi_sndbuf_limited += change->full;
	now.info.tcpi_total_retrans += change->lost;
	now.info.tcpi_data_segs_out += change->packets;
	now.info.tcpi_rcv_ooopack += change->late;
	now.info.tcpi_data_segs_in += change->came;
	now.info.tcpi_last_data_sent = change->quiet_sent;
	now.info.tcpi_last_data_recv = change->quiet_received;
	enum verdict verdict =
		verdict_of(change->first ? NULL : &before, &now, SECOND, !change->strange);
	ck_assert_msg(verdict == cases[_i].verdict, "%s: %s, not %s", cases[_i].what,
		      verdict_name(verdict), verdict_name(cases[_i].verdict));
}
END_TEST

/* Each has words, and the short ones fit into their column. */
START_TEST(test_words)
{
	ck_assert_str_ne(verdict_name(_i), "");
	ck_assert_uint_le(strlen(verdict_short(_i)), 20);
	ck_assert_str_ne(verdict_text(_i), "");
}
END_TEST

static const struct {
	double bytes;
	const char *text;
} amounts[] = {
	{0, "0 B"},        {999, "999 B"},      {1000, "1.00 kB"},    {9994, "9.99 kB"},
	{9996, "10.0 kB"}, {99960, "100 kB"},   {999400, "999 kB"},   {999600, "1.00 MB"},
	{1e9, "1.00 GB"},  {1.5e18, "1.50 EB"}, {1e24, "1000000 EB"},
};

START_TEST(test_bytes)
{
	char text[QUANTITY_TEXT];
	quantity_bytes(amounts[_i].bytes, text);
	ck_assert_str_eq(text, amounts[_i].text);
}
END_TEST

static const struct {
	long long ms;
	const char *text;
} times[] = {
	{0, "0 s"},
	{59999, "59 s"},
	{60000, "1 min 00 s"},
	{3599999, "59 min 59 s"},
	{3600000, "1 h 00 min"},
	{86400000, "1 d 00 h"},
};

START_TEST(test_times)
{
	char text[QUANTITY_TEXT];
	quantity_time(times[_i].ms, text);
	ck_assert_str_eq(text, times[_i].text);
}
END_TEST

static const struct {
	unsigned us;
	const char *text;
} trips[] = {
	{0, "0.00 ms"},     {1234, "1.23 ms"},   {12340, "12.3 ms"},
	{999400, "999 ms"}, {1200000, "1.20 s"},
};

START_TEST(test_round_trips)
{
	char text[QUANTITY_TEXT];
	quantity_short_time(trips[_i].us, text);
	ck_assert_str_eq(text, trips[_i].text);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("verdict");
	TCase *tests = tcase_create("verdict");
	tcase_add_loop_test(tests, test_verdict, 0, COUNT(cases));
	tcase_add_loop_test(tests, test_words, 0, VERDICT_COUNT);
	tcase_add_loop_test(tests, test_bytes, 0, COUNT(amounts));
	tcase_add_loop_test(tests, test_times, 0, COUNT(times));
	tcase_add_loop_test(tests, test_round_trips, 0, COUNT(trips));
	suite_add_tcase(suite, tests);
	return suite;
}
