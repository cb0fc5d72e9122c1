/* Tunnels and names: a tunnel that is refused changes nothing, and where addresses lead. */

#include "supervisor/tunnel/tunnel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/base/address.h"
#include "supervisor/tunnel/names.h"
#include "supervisor/tunnel/route.h"
#include "tests/unit/suite.h"

#define BASE "/conf"

static struct state *state;

static void set_up(void)
{
	state = state_create();
	ck_assert_ptr_nonnull(state);
}

static void tear_down(void)
{
	state_destroy(state);
}

static const char *id_of(unsigned number)
{
	static char id[UUID_TEXT + 1];
	snprintf(id, sizeof(id), "00000000-0000-4000-8000-%012x", number);
	return id;
}

/* A view with an access point's contact, and mapped places up to a NULL. */
static struct conf_view view_of(const char *contact, const char *const *mapped)
{
	struct conf_view view = {.fake_port = 1234};
	ck_assert_int_eq(contact_parse(contact, &view.contact), 0);
	for (; mapped && *mapped; mapped++)
		ck_assert_int_eq(contact_parse(*mapped, &view.mapped[view.mapped_count++]), 0);
	return view;
}

static int add(unsigned number, const char *contact, const char *const *mapped)
{
	struct conf_view view = view_of(contact, mapped);
	return tunnel_add(state, id_of(number), BASE, &view);
}

/* As another process says it, with listening ports from 1 to count. */
static int take(unsigned number, const char *contact, const char *const *mapped, uint16_t ports)
{
	struct control_tunnel message = {.base = BASE, .view = view_of(contact, mapped)};
	memcpy(message.id, id_of(number), sizeof(message.id));
	for (uint16_t i = 0; i < ports; i++)
		message.ports[i] = i + 1;
	return tunnel_take(state, &message, true);
}

/* The parts of the state that a tunnel changes. */
static void *copy_of(size_t *size)
{
	const size_t parts[][2] = {
		{offsetof(struct state, initiates), sizeof(bool) * 3},
		{offsetof(struct state, tunnel_count), sizeof(uint32_t) * 2},
		{offsetof(struct state, contact_keys), sizeof(state->contact_keys)},
		{offsetof(struct state, name_at), sizeof(state->name_at)},
		{offsetof(struct state, tunnels), sizeof(state->tunnels)},
		{offsetof(struct state, names), sizeof(state->names)},
	};
	*size = 0;
	for (size_t i = 0; i < COUNT(parts); i++)
		*size += parts[i][1];
	char *copy = malloc(*size), *end = copy;
	ck_assert_ptr_nonnull(copy);
	for (size_t i = 0; i < COUNT(parts); i++) {
		memcpy(end, (char *)state + parts[i][0], parts[i][1]);
		end += parts[i][1];
	}
	return copy;
}

#define REFUSED(call, error)                                                                       \
	do {                                                                                       \
		size_t size, size_after;                                                           \
		void *before = copy_of(&size);                                                     \
		ck_assert_int_eq(call, error);                                                     \
		void *after = copy_of(&size_after);                                                \
		ck_assert_msg(memcmp(before, after, size) == 0, #call " changed something");       \
		free(before), free(after);                                                         \
	} while (0)

static const char *const one[] = {"first.example:80", "host.example:80", NULL};
static const char *const other[] = {"second.example:80", "host.example:80", NULL};
static const char *const more[] = {"1.example:1", "2.example:1", "3.example:1", NULL};

START_TEST(place_that_leads_elsewhere)
{
	ck_assert_int_eq(add(1, "127.0.0.1:1", one), 0);
	REFUSED(add(2, "127.0.0.1:2", other), -EDOM);
	REFUSED(take(2, "127.0.0.1:2", other, 2), -EDOM);
	/* asked again it is not there either */
	REFUSED(take(2, "127.0.0.1:2", other, 2), -EDOM);
	ck_assert_int_eq(add(2, "127.0.0.1:2", NULL), 0);
	REFUSED(take(2, "127.0.0.1:3", other, 2), -EDOM);
	REFUSED(add(2, "127.0.0.1:3", NULL), -EEXIST);
	ck_assert_int_eq(take(1, "127.0.0.1:4", one, 0), 0);
}
END_TEST

START_TEST(no_room_for_names)
{
	ck_assert_int_eq(add(1, "127.0.0.1:1", one), 0);
	state->limits.most[LIMIT_NAMES] = state->name_count + 3;
	REFUSED(add(2, "127.0.0.1:2", more), -ENOSPC); /* and its own name */
	ck_assert_uint_eq(state->limits.met[LIMIT_NAMES], 1);
	REFUSED(take(1, "127.0.0.1:9", (const char *const[]){"a:1", "b:1", "c:1", "d:1", NULL}, 0),
		-ENOSPC);
	state->limits.most[LIMIT_NAMES]++;
	ck_assert_int_eq(add(2, "127.0.0.1:2", more), 0);
	state->limits.most[LIMIT_TUNNELS] = 2;
	REFUSED(add(3, "127.0.0.1:2", NULL), -ENOSPC);
}
END_TEST

START_TEST(no_room_for_routes)
{
	char text[MAX_ROUTES + 1][CONTACT_HOST_MAX];
	const char *mapped[MAX_ROUTES + 1] = {NULL};
	for (size_t i = 0; i < MAX_ROUTES; i++) {
		snprintf(text[i], sizeof(text[i]), "host.example:%zu", i + 1);
		mapped[i] = text[i];
	}
	ck_assert_int_eq(add(1, "127.0.0.1:1", mapped), 0);
	REFUSED(add(2, "127.0.0.1:2", (const char *const[]){"x:1", "host.example:77", NULL}),
		-ENOSPC);
	ck_assert_int_eq(take(1, "127.0.0.1:1", mapped, 0), 0);
}
END_TEST

START_TEST(no_room_for_ports)
{
	struct control_tunnel message = {.base = BASE};
	message.view.listener = (struct contact){.host = "127.0.0.1", .port = 99};
	memcpy(message.id, id_of(1), sizeof(message.id));
	for (uint16_t i = 0; i < MAX_PORTS; i++)
		message.ports[i] = i + 1;
	struct control_tunnel copy = message;
	REFUSED(tunnel_take(state, &copy, true), -ENOSPC);
	message.ports[MAX_PORTS - 1] = 0;
	copy = message;
	ck_assert_int_eq(tunnel_take(state, &copy, false), 0);
	message.ports[MAX_PORTS - 1] = 77;
	copy = message;
	REFUSED(tunnel_take(state, &copy, false), -ENOSPC);
	message.ports[MAX_PORTS - 1] = 1; /* twice */
	copy = message;
	ck_assert_int_eq(tunnel_take(state, &copy, true), 0);
}
END_TEST

/* An access point's own address leads into its tunnel, whatever another tunnel maps. */
START_TEST(mapped_number_and_a_contact)
{
	union address address;
	struct contact contact;
	const char *const mapped[] = {"127.0.0.1:7", "127.0.0.1:8", NULL};
	ck_assert_int_eq(add(1, "127.0.0.1:5", mapped), 0);
	ck_assert_int_eq(add(2, "127.0.0.1:7", NULL), 0);
	ck_assert_int_eq(contact_parse("127.0.0.1:7", &contact), 0);
	ck_assert_int_eq(address_from_contact(&address, &contact), 0);
	ck_assert_uint_eq(route_of(state, NULL, &address).tunnel, 1);
	address_set_port(&address, 8);
	ck_assert_uint_eq(route_of(state, NULL, &address).tunnel, 0);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("tunnel");
	TCase *tcase = tcase_create("refused");
	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, place_that_leads_elsewhere);
	tcase_add_test(tcase, no_room_for_names);
	tcase_add_test(tcase, no_room_for_routes);
	tcase_add_test(tcase, no_room_for_ports);
	tcase_add_test(tcase, mapped_number_and_a_contact);
	suite_add_tcase(suite, tcase);
	return suite;
}
