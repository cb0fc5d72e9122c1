/* What a program finds of the tunnels that its supervisor has: a launch all, a guest its own. */

#include "supervisor/base/reach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor/accept/listener.h"
#include "supervisor/accept/wake.h"
#include "supervisor/base/address.h"
#include "supervisor/base/limit.h"
#include "supervisor/base/share.h"
#include "supervisor/calls/blind.h"
#include "supervisor/connect/patience.h"
#include "supervisor/tunnel/names.h"
#include "supervisor/tunnel/real.h"
#include "supervisor/tunnel/route.h"
#include "supervisor/tunnel/tunnel.h"
#include "tests/unit/suite.h"

#define MAPPED "data.example"

enum { OWN, OTHER, COUNT };
static struct state *state;
static struct reach reach;
#define ID_OWN "00000000-0000-4000-8000-000000000001"
static const char *const ids[COUNT] = {ID_OWN, "00000000-0000-4000-8000-000000000002"};

static void add(unsigned number)
{
	struct conf_view out = {.fake_port = 1234, .secured = true, .key_len = 32};
	struct conf_view in = out;
	char contact[32];
	snprintf(contact, sizeof(contact), "127.0.0.1:%u", 10 + number);
	ck_assert_int_eq(contact_parse(contact, &out.contact), 0);
	snprintf(contact, sizeof(contact), MAPPED ":%u", 80 + number);
	ck_assert_int_eq(contact_parse(contact, &out.mapped[out.mapped_count++]), 0);
	snprintf(contact, sizeof(contact), "10.0.0.9:%u", 80 + number);
	ck_assert_int_eq(contact_parse(contact, &out.mapped[out.mapped_count++]), 0);
	ck_assert_int_eq(tunnel_add(state, ids[number], "/out", &out), 0);
	/* both listen on 5000, and each on a port of its own */
	ck_assert_int_eq(contact_parse("127.0.0.1:5000", &in.listener), 0);
	memset(in.key_id, (int)(1 + number), sizeof(in.key_id));
	ck_assert_int_eq(tunnel_add(state, ids[number], "/in", &in), 0);
	ck_assert_int_eq(tunnel_listen(state, 2 * number + 1, (uint16_t)(6000 + number)), 0);
}

static void set_up(void)
{
	state = state_create();
	ck_assert_ptr_nonnull(state);
	add(OWN);
	add(OTHER);
	reach = (struct reach){0};
	reach_add(&reach, 2 * OWN);
	reach_add(&reach, 2 * OWN + 1);
}

static void tear_down(void)
{
	state_destroy(state);
}

static union address address_of(const char *text)
{
	struct contact contact;
	union address address;
	ck_assert_int_eq(contact_parse(text, &contact), 0);
	ck_assert_int_eq(address_from_contact(&address, &contact), 0);
	return address;
}

static union address globus(unsigned number, uint16_t port)
{
	char host[64];
	snprintf(host, sizeof(host), "globus.%s", ids[number]);
	union address address = names_address(state, names_find(state, host));
	address_set_port(&address, port);
	return address;
}

static enum route_kind leads(union address address)
{
	return route_of(state, &reach, &address).kind;
}

START_TEST(routes)
{
	ck_assert_int_eq(leads(globus(OWN, 1234)), ROUTE_TUNNEL);
	ck_assert_int_eq(leads(globus(OWN, 1)), ROUTE_NO_PORT);
	ck_assert_int_eq(leads(globus(OTHER, 1234)), ROUTE_NONE);
	ck_assert_int_eq(leads(globus(OTHER, 1)), ROUTE_NONE);
	ck_assert_int_eq(leads(address_of("127.0.0.1:10")), ROUTE_TUNNEL);
	ck_assert_int_eq(leads(address_of("127.0.0.1:11")), ROUTE_NONE);
	ck_assert_int_eq(leads(address_of("10.0.0.9:80")), ROUTE_TUNNEL);
	ck_assert_int_eq(leads(address_of("10.0.0.9:81")), ROUTE_NONE);
	union address mapped = names_address(state, names_find(state, MAPPED));
	address_set_port(&mapped, 80);
	ck_assert_int_eq(leads(mapped), ROUTE_TUNNEL);
	address_set_port(&mapped, 82);
	ck_assert_int_eq(leads(mapped), ROUTE_REALLY);
	/* another's: what a guest means for it does not go to the real host in clear */
	address_set_port(&mapped, 81);
	ck_assert_int_eq(leads(mapped), ROUTE_NONE);
	state->programs[0].guest = true;
	ck_assert(route_is_given(state, &(struct call){.program = 0}, &mapped));
}
END_TEST

/* A supervisor was killed between a name and its first route. */
START_TEST(half_a_name)
{
	struct conf_view out = {.fake_port = 1234, .secured = true, .key_len = 32};
	struct control_tunnel message = {.base = "/out", .view = out};
	struct call call = {.program = 0};
	union address address = globus(OWN, 1234);
	struct name *name = &state->names[names_find(state, "globus." ID_OWN)];
	name->routes = 0;
	state->programs[0].reach = reach_all();
	ck_assert(route_is_given(state, &call, &address));
	snprintf(message.id, sizeof(message.id), ID_OWN);
	ck_assert_int_eq(tunnel_take(state, &message, false), 0);
	ck_assert_uint_eq(names_route(name, &reach, 1234), 2 * OWN);
}
END_TEST

/* What cannot be inspected may mean any of the addresses, which are no secrets. */
START_TEST(blind)
{
	static const int errors[] = {-EPERM, -ENOTSUP, -ETIMEDOUT, -ESRCH, -EMFILE};
	struct supervisor s = {.state = state};
	struct call call = {.program = 0};
	state->numeric_names = false;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		state->programs[0].guest = true;
		ck_assert(blind_may_mean_tunnel(&s, &call, sizeof(struct sockaddr_in), errors[i]));
		state->programs[0].guest = false;
		ck_assert(!blind_may_mean_tunnel(&s, &call, sizeof(struct sockaddr_in), errors[i]));
	}
}
END_TEST

/* A launch's users have a share each, a guest has one. */
START_TEST(shares)
{
	uint32_t index = share_add(state, 0, 5001, PART_LISTENERS);
	ck_assert_uint_ne(share_add(state, 0, 5002, PART_LISTENERS), index);
	state->programs[1].guest = true;
	index = share_add(state, 1, 5001, PART_LISTENERS);
	ck_assert_uint_ne(index, NONE);
	ck_assert_uint_eq(share_add(state, 1, 5002, PART_LISTENERS), index);
	ck_assert_uint_eq(state->shares[index].has[PART_LISTENERS], 2);
	state->limits.most[LIMIT_LISTENERS_EACH] = 2;
	ck_assert(share_full(state, 1, 5003, PART_LISTENERS, LIMIT_LISTENERS_EACH));
	ck_assert(!share_full(state, 0, 5001, PART_LISTENERS, LIMIT_LISTENERS_EACH));
	share_drop(state, index, PART_LISTENERS);
	share_drop(state, index, PART_LISTENERS);
	ck_assert_uint_eq(state->programs[1].shares, 0);
}
END_TEST

/* So have its listeners, of the connections that they have not accepted. */
START_TEST(ready)
{
	struct supervisor s = {.state = state};
	state->limits.most[LIMIT_READY] = 8;
	state->listener_pool.top = 2;
	for (int i = 0; i < 2; i++) {
		state->listeners[i].slot.used = true;
		state->listeners[i].ready_count = 4;
	}
	ck_assert(!listener_has_enough(&s, 0));
	state->programs[0].guest = true;
	ck_assert(listener_has_enough(&s, 0));
	state->listeners[1].ready_count = 3;
	ck_assert(!listener_has_enough(&s, 0));
	state->listeners[0].ready_count = 8;
	ck_assert(listener_has_enough(&s, 0) && listener_has_enough(&s, 1));
	state->listeners[1].ready_count = 0;
	ck_assert(!listener_has_enough(&s, 1));
}
END_TEST

/* What a guest's program was seen to do tells nothing of a launch's of the same file. */
START_TEST(evidence)
{
	struct supervisor s = {.state = state};
	struct conn conn = {.program = 1,
			    .told = true,
			    .nonblocking = true,
			    .met = true,
			    .tunnel = OWN,
			    .executable = {.device = 1, .inode = 2}};
	conn.asked = globus(OWN, 1234);
	state->programs[1].guest = true;
	patience_meet(&s, &conn);
	patience_intruded(&s, &conn);
	conn.told = false;
	ck_assert(patience_must_not_tell(&s, &conn));
	state->programs[1].slot.gen++; /* another guest */
	patience_meet(&s, &conn);
	ck_assert(!patience_must_not_tell(&s, &conn));
	conn.program = 0;
	patience_meet(&s, &conn);
	ck_assert(!patience_must_not_tell(&s, &conn));
}
END_TEST

/* The listener of a program that has ended, whose number another has by now. */
START_TEST(wakes)
{
	struct supervisor s = {.state = state};
	struct listener *listener = &state->listeners[0];
	union address port = address_of("127.0.0.1:5000");
	*listener = (struct listener){.slot.used = true, .bound = port, .reach = reach_all()};
	state->listener_pool.top = 1;
	state->programs[0].reach = reach;
	wake_expect(&s, 0, &port);
	ck_assert_uint_eq(listener->wakes, 0);
	listener->reach = reach;
	wake_expect(&s, 0, &port);
	ck_assert_uint_eq(listener->wakes, 1);
}
END_TEST

/* What a guest means for a tunnel that it has not got stays on the machine. */
START_TEST(given)
{
	struct call call = {.program = 0};
	union address other = globus(OTHER, 1234), nobody = other;
	nobody.in.sin_addr.s_addr = htonl(0xc6120001);
	state->programs[0].guest = true;
	state->programs[0].reach = reach;
	ck_assert(route_is_given(state, &call, &other));
	ck_assert(route_is_given(state, &call, &nobody));
	state->programs[0].guest = false;
	ck_assert(!route_is_given(state, &call, &nobody));
}
END_TEST

static enum question_answer resolve(const char *host, uint16_t port)
{
	struct question question = {.op = QUESTION_RESOLVE, .port = port};
	snprintf(question.name, sizeof(question.name), "%s", host);
	names_answer(state, &reach, &question);
	return question.answer;
}

static enum question_answer reverse(union address address)
{
	struct question question = {.op = QUESTION_REVERSE, .family = 4};
	memcpy(question.address, &address.in.sin_addr, 4);
	names_answer(state, &reach, &question);
	return question.answer;
}

START_TEST(names)
{
	ck_assert_int_eq(resolve("globus.00000000-0000-4000-8000-000000000001", 0), QUESTION_OURS);
	ck_assert_int_eq(resolve("globus.00000000-0000-4000-8000-000000000002", 0),
			 QUESTION_NOT_OURS);
	ck_assert_int_eq(resolve(MAPPED, 80), QUESTION_OURS);
	ck_assert_int_eq(resolve(MAPPED, 81), QUESTION_NOT_OURS);
	ck_assert_int_eq(reverse(globus(OWN, 1)), QUESTION_OURS);
	ck_assert_int_eq(reverse(globus(OTHER, 1)), QUESTION_NOT_OURS);
}
END_TEST

START_TEST(hosts)
{
	char text[4096] = "";
	int fd = memfd_create("hosts", MFD_CLOEXEC);
	ck_assert_int_eq(names_write_hosts(state, &reach, fd), 0);
	ck_assert_int_ge(pread(fd, text, sizeof(text) - 1, 0), 1);
	close(fd);
	ck_assert_ptr_nonnull(strstr(text, ids[OWN]));
	ck_assert_ptr_nonnull(strstr(text, MAPPED));
	ck_assert_ptr_null(strstr(text, ids[OTHER]));
}
END_TEST

START_TEST(ports)
{
	uint8_t key[COUNT][UUID_BYTES];
	for (int i = 0; i < COUNT; i++)
		memset(key[i], 1 + i, UUID_BYTES);
	ck_assert(tunnel_any_port(state, &reach, 5000) && tunnel_any_port(state, &reach, 6000));
	ck_assert(!tunnel_any_port(state, &reach, 6001) && tunnel_any_port(state, NULL, 6001));
	ck_assert(tunnel_port_secured(state, &reach, 5000));
	ck_assert(!tunnel_port_secured(state, &reach, 6001));
	ck_assert_uint_eq(tunnel_by_key(state, &reach, 5000, key[OWN]), 2 * OWN + 1);
	ck_assert_uint_eq(tunnel_by_key(state, &reach, 5000, key[OTHER]), NONE);
	ck_assert_uint_eq(tunnel_by_key(state, NULL, 5000, key[OTHER]), 2 * OTHER + 1);
}
END_TEST

/* A mapped name's real address is any other, where the name does not lead through a tunnel. */
START_TEST(real)
{
	union address at = address_of("10.1.1.1:80");
	real_add(&state->names[names_find(state, MAPPED)], &at, true);
	memset(state->real_bits, 0xff, sizeof(state->real_bits));
	ck_assert_uint_eq(real_find(state, &reach, &at), names_find(state, MAPPED));
	address_set_port(&at, 81);
	ck_assert_uint_eq(real_find(state, &reach, &at), NONE);
	ck_assert_uint_ne(real_find(state, NULL, &at), NONE);
}
END_TEST

/* Two sockets of a REUSEPORT group stand for each other only where both have the same tunnels. */
START_TEST(groups)
{
	struct listener a = {.learnt = true, .reuses = true, .reach = reach}, b = a;
	ck_assert(listener_in_one_group(&a, &b));
	b.reach = reach_all();
	ck_assert(!listener_in_one_group(&a, &b));
}
END_TEST

START_TEST(bounds)
{
	struct reach none = {0}, all = reach_all();
	ck_assert(reach_has(&all, MAX_TUNNELS - 1) && !reach_has(&all, MAX_TUNNELS));
	ck_assert(!reach_has(&all, NONE) && reach_has(NULL, 0));
	reach_add(&none, NONE);
	reach_add(&none, MAX_TUNNELS);
	ck_assert(reach_same(&none, &(struct reach){0}));
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("reach");
	TCase *tcase = tcase_create("reach");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, routes);
	tcase_add_test(tcase, given);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, hosts);
	tcase_add_test(tcase, ports);
	tcase_add_test(tcase, real);
	tcase_add_test(tcase, groups);
	tcase_add_test(tcase, half_a_name);
	tcase_add_test(tcase, blind);
	tcase_add_test(tcase, shares);
	tcase_add_test(tcase, evidence);
	tcase_add_test(tcase, wakes);
	tcase_add_test(tcase, ready);
	tcase_add_test(tcase, bounds);
	suite_add_tcase(suite, tcase);
	return suite;
}
