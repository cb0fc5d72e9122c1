/* Contact strings and UUIDs, good and bad. */

#include "protocol/contact.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/suite.h"

#define LABEL_63 "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghi"
#define NAME_253                                                                                   \
	LABEL_63 "." LABEL_63 "." LABEL_63 "."                                                     \
		 "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefg"

static const struct {
	const char *text, *host, *formatted;
	uint16_t port;
} good[] = {
	{"host:1", "host", "host:1", 1},
	{"host:65535", "host", "host:65535", 65535},
	{"Demo.Example:8443", "demo.example", "demo.example:8443", 8443},
	{"demo.example.:443", "demo.example", "demo.example:443", 443},
	{"10.0.2.164:8888", "10.0.2.164", "10.0.2.164:8888", 8888},
	{"[::1]:80", "::1", "[::1]:80", 80},
	{"[2001:DB8::1]:80", "2001:db8::1", "[2001:db8::1]:80", 80},
	{"[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:80", 80},
	{"a_b-c.d:2", "a_b-c.d", "a_b-c.d:2", 2},
	{"globus.0e8a675b-6b84-4220-89e4-a6a7a0d823fb:3664",
	 "globus.0e8a675b-6b84-4220-89e4-a6a7a0d823fb",
	 "globus.0e8a675b-6b84-4220-89e4-a6a7a0d823fb:3664", 3664},
	/* without brackets, where only one reading is possible */
	{"1:2:3:4:5:6:7:8:80", "1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:80", 80},
	{"::1:65535", "::1", "[::1]:65535", 65535},
	{NAME_253 ":1", NAME_253, NAME_253 ":1", 1},
};

static const char *const bad[] = {
	"",
	":",
	":80",
	"host",
	"host:",
	"host:0",
	"host:65536",
	"host:99999999999999999999",
	"host:-1",
	"host:+1",
	"host: 80",
	"host:80 ",
	"host:8o",
	"host:80:",
	" host:80",
	"ho st:80",
	"host\n:80",
	"host/x:80",
	"ho\xc3\xa4st:80",
	"http://host:80",
	"a,b:80",
	"-host:80",
	".host:80",
	".:80",
	"[]:80",
	"[host]:80",
	"[::1:80",
	"::1]:80",
	"[::1]80",
	"[::1]",
	"[::1]:",
	"[::1::2]:80",
	"[1:2]:80",
	"[fffff::]:80",
	"a:b:80",
	"::1:80", /* an address alone, or one with a port? */
	"x" NAME_253 ":1",
};

START_TEST(contact_good)
{
	struct contact contact, again;
	char text[CONTACT_TEXT_MAX];
	ck_assert_int_eq(contact_parse(good[_i].text, &contact), 0);
	ck_assert_str_eq(contact.host, good[_i].host);
	ck_assert_uint_eq(contact.port, good[_i].port);
	contact_format(&contact, text);
	ck_assert_str_eq(text, good[_i].formatted);
	ck_assert_int_eq(contact_parse(text, &again), 0);
	ck_assert_str_eq(again.host, contact.host);
}
END_TEST

START_TEST(contact_bad)
{
	struct contact contact;
	ck_assert_msg(contact_parse(bad[_i], &contact) == -EINVAL, "taken: '%s'", bad[_i]);
}
END_TEST

/* What looks like an IPv4 address and is none is no name either. */
START_TEST(not_quite_ipv4)
{
	static const char *const odd[] = {"999.0.2.164:80", "10.0.2.256:80", "1.2.3.4.5:80",
					  "256.256:1", "4294967296:80"};
	static const char *const names[] = {"10.0.2.164a:80", "999.example:80", "0x7f.example:80",
					    "127.1:80", "999.0.2.x:80"};
	struct contact contact;
	char host[CONTACT_HOST_MAX + 1];
	for (size_t i = 0; i < COUNT(odd); i++)
		ck_assert_msg(contact_parse(odd[i], &contact) == -EDOM, "%s", odd[i]);
	for (size_t i = 0; i < COUNT(names); i++)
		ck_assert_msg(contact_parse(names[i], &contact) == 0, "%s", names[i]);
	ck_assert_int_eq(contact_host("999.0.2.164", host), -EDOM);
	ck_assert_int_eq(contact_host("10.0.2.164.", host), 0);
}
END_TEST

START_TEST(host_names)
{
	char host[CONTACT_HOST_MAX + 1];
	ck_assert_int_eq(contact_host("Demo.EXAMPLE.", host), 0);
	ck_assert_str_eq(host, "demo.example");
	ck_assert_int_eq(contact_host(NAME_253 ".", host), 0);
	ck_assert_uint_eq(strlen(host), CONTACT_HOST_MAX);
	ck_assert_int_eq(contact_host("", host), -EINVAL);
	ck_assert_int_eq(contact_host(".", host), -EINVAL);
	ck_assert_int_eq(contact_host("a b", host), -EINVAL);
	ck_assert_int_eq(contact_host("x" NAME_253, host), -EINVAL);
}
END_TEST

START_TEST(globus_names)
{
	static const char *const others[] = {
		"globus.",
		"globus",
		"globus.org",
		"xglobus.0e8a675b-6b84-4220-89e4-a6a7a0d823fb",
		"globus.0e8a675b-6b84-4220-89e4-a6a7a0d823f",
		"globus.0e8a675b-6b84-4220-89e4-a6a7a0d823fbb",
		"globus.0e8a675b-6b84-4220-89e4-a6a7a0d823fg",
		"globus.0e8a675b-6b84-4220-89e4-a6a7a0d823fb.org",
		"globus.0e8a675b06b84-4220-89e4-a6a7a0d823fb",
		"0e8a675b-6b84-4220-89e4-a6a7a0d823fb",
	};
	char uuid[UUID_TEXT + 1];
	ck_assert(contact_is_globus("globus.0e8a675b-6b84-4220-89e4-a6a7a0d823fb", uuid));
	ck_assert_str_eq(uuid, "0e8a675b-6b84-4220-89e4-a6a7a0d823fb");
	ck_assert(contact_is_globus("GLOBUS.0E8A675B-6b84-4220-89e4-A6A7A0D823FB.", uuid));
	ck_assert_str_eq(uuid, "0e8a675b-6b84-4220-89e4-a6a7a0d823fb");
	for (size_t i = 0; i < COUNT(others); i++)
		ck_assert_msg(!contact_is_globus(others[i], uuid), "taken: %s", others[i]);
}
END_TEST

START_TEST(uuids)
{
	static const uint8_t expected[UUID_BYTES] = {0x13, 0xfb, 0x19, 0x36, 0xc8, 0xdd,
						     0x4c, 0x6b, 0x9a, 0xf3, 0x39, 0x40,
						     0x75, 0xc0, 0x84, 0x24};
	static const char *const others[] = {
		"",
		"13fb1936c8dd4c6b9af3394075c08424",
		"13fb1936-c8dd-4c6b-9af3-394075c0842",
		"13fb1936-c8dd-4c6b-9af3-394075c084244",
		"13fb1936-c8dd-4c6b-9af3-394075c0842g",
		"13fb193-6c8dd-4c6b-9af3-394075c08424",
		"13fb1936-c8dd-4c6b-9af3 394075c08424",
		" 3fb1936-c8dd-4c6b-9af3-394075c08424",
		"{13fb1936-c8dd-4c6b-9af3-394075c0842",
		"-----------------------------------x",
	};
	uint8_t bytes[UUID_BYTES];
	char text[UUID_TEXT + 1];
	ck_assert_int_eq(uuid_parse("13FB1936-c8dd-4c6b-9af3-394075c08424", bytes), 0);
	ck_assert_mem_eq(bytes, expected, sizeof(bytes));
	uuid_format(bytes, text);
	ck_assert_str_eq(text, "13fb1936-c8dd-4c6b-9af3-394075c08424");
	for (size_t i = 0; i < COUNT(others); i++)
		ck_assert_msg(uuid_parse(others[i], bytes) == -EINVAL, "taken: %s", others[i]);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("contact");
	TCase *tcase = tcase_create("contact");
	tcase_add_loop_test(tcase, contact_good, 0, COUNT(good));
	tcase_add_loop_test(tcase, contact_bad, 0, COUNT(bad));
	tcase_add_test(tcase, host_names);
	tcase_add_test(tcase, not_quite_ipv4);
	tcase_add_test(tcase, globus_names);
	tcase_add_test(tcase, uuids);
	suite_add_tcase(suite, tcase);
	return suite;
}
