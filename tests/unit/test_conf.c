/* The conf file: what is kept, what is refused, and what its values say. */

#include "protocol/conf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/suite.h"

/* Every key that is known, in its order, and then one that is not. */
static const char whole[] = "lankey=e7a1c0ffee5ec2e7=d15ea5ed\n"
			    "lankey_id=13fb1936-c8dd-4c6b-9af3-394075c08424\n"
			    "connector_contact_string=127.0.0.1:50001\n"
			    "update_time=1700000000\n"
			    "connector_contact_string_ttl=10\n"
			    "endpoint_id=6d3275c0-e5d3-4ae9-8d2b-e1d4b21a3c10\n"
			    "fake_port=3664\n"
			    "tunnel_expiration_time=1700021600\n"
			    "listener_contact_string=10.0.2.164:8888\n"
			    "globus_contact=demo.example:8443,[2001:db8::1]:443\n"
			    "lan_auth=v1\n"
			    "kept_for_others=as it is\n";

/* The lines that are always there, for a file that has not more than that. */
#define UP_TO_PORT(key, id, port)                                                                  \
	"lankey=" key "\nlankey_id=" id "\nconnector_contact_string=\nupdate_time=\n"              \
	"connector_contact_string_ttl=\nendpoint_id=\nfake_port=" port "\n"                        \
	"tunnel_expiration_time=\n"

static struct conf conf;
static struct conf_view view;

static void parse(const char *text)
{
	ck_assert_int_eq(conf_parse(&conf, text, strlen(text)), 0);
}

static void expect_text(const char *text)
{
	size_t len;
	char *formatted = conf_format(&conf, &len);
	ck_assert_str_eq(formatted, text);
	ck_assert_uint_eq(len, strlen(text));
	conf_free_text(formatted, len);
}

/* The view of text; the entry at fault, or NULL. */
static const char *fault_of(const char *text)
{
	const char *key = NULL, *why = NULL;
	parse(text);
	int err = conf_view(&conf, &view, &key, &why);
	conf_finish(&conf);
	if (err == 0)
		return NULL;
	ck_assert_int_eq(err, -EINVAL);
	ck_assert_ptr_nonnull(why);
	ck_assert_uint_eq(view.key_len, 0);
	return key;
}

START_TEST(round_trip)
{
	parse(whole);
	expect_text(whole);
	ck_assert_str_eq(conf_get(&conf, "kept_for_others"), "as it is");
	conf_finish(&conf);
	ck_assert_uint_eq(conf.count, 0);
	conf_finish(&conf);
}
END_TEST

START_TEST(put_in_order)
{
	parse("z=1\nlan_auth=none\nfake_port=1234\nlankey_id=x\na=2\nlankey=y\n");
	expect_text(UP_TO_PORT("y", "x", "1234") "lan_auth=none\nz=1\na=2\n");
	conf_finish(&conf);
}
END_TEST

/* The eight lines that Globus's own CLI has are there even if nothing is known. */
START_TEST(always_eight)
{
	parse("");
	expect_text(UP_TO_PORT("", "", ""));
	conf_finish(&conf);
	parse(UP_TO_PORT("", "", "1000"));
	expect_text(UP_TO_PORT("", "", "1000"));
	ck_assert_ptr_null(conf_get(&conf, CONF_LANKEY));
	conf_finish(&conf);
}
END_TEST

/* What Globus's own CLI writes where the service had nulls: not known, and not the host "none". */
START_TEST(contact_not_known)
{
	ck_assert_ptr_null(fault_of("connector_contact_string=None:None\nfake_port=1000\n"));
	ck_assert_uint_eq(view.contact.port, 0);
	parse("connector_contact_string = None:None \nfake_port=1000\n");
	ck_assert_ptr_null(conf_get(&conf, CONF_CONTACT));
	expect_text(UP_TO_PORT("", "", "1000"));
	conf_finish(&conf);
	ck_assert_ptr_null(fault_of("connector_contact_string=None:80\n"));
	ck_assert_uint_eq(view.contact.port, 80);
}
END_TEST

START_TEST(written_differently)
{
	parse("# a remark\n\n  fake_port \t=  1234  \r\n=nothing\nno equals sign\n[section]\n"
	      "two words=x\nlankey=\nk==v=\nlast=line");
	ck_assert_str_eq(conf_get(&conf, CONF_FAKE_PORT), "1234");
	ck_assert_ptr_null(conf_get(&conf, CONF_LANKEY));
	ck_assert_str_eq(conf_get(&conf, "k"), "=v=");
	ck_assert_str_eq(conf_get(&conf, "last"), "line");
	ck_assert_ptr_null(conf_get(&conf, ""));
	ck_assert_ptr_null(conf_get(&conf, "two"));
	conf_finish(&conf);
}
END_TEST

START_TEST(twice)
{
	parse("fake_port=1\nother=a\nfake_port=2\nother=b\n");
	ck_assert_str_eq(conf_get(&conf, CONF_FAKE_PORT), "2");
	expect_text(UP_TO_PORT("", "", "2") "other=b\n");
	conf_finish(&conf);
}
END_TEST

START_TEST(not_a_conf_file)
{
	static const struct {
		const char *text;
		size_t len;
	} bad[] = {
		{"lankey=a\0b\n", 11},
		{"\x7f"
		 "ELF\x02\x01\x01\0\0",
		 9},
		{"lankey=a\x01\n", 10},
		{"\x1b[31m=x\n", 8},
		{"\0", 1},
		{"lankey=a\x7f\n", 10},
	};
	for (size_t i = 0; i < COUNT(bad); i++) {
		ck_assert_int_eq(conf_parse(&conf, bad[i].text, bad[i].len), -EINVAL);
		ck_assert_uint_eq(conf.count, 0);
	}
}
END_TEST

START_TEST(size)
{
	char *text = malloc(CONF_SIZE_MAX + 1);
	memset(text, 'x', CONF_SIZE_MAX + 1);
	memcpy(text, "k=", 2);
	ck_assert_int_eq(conf_parse(&conf, text, CONF_SIZE_MAX + 1), -EFBIG);
	ck_assert_uint_eq(conf.count, 0);
	ck_assert_int_eq(conf_parse(&conf, text, CONF_SIZE_MAX), 0);
	ck_assert_uint_eq(strlen(conf_get(&conf, "k")), CONF_SIZE_MAX - 2);
	conf_finish(&conf);
	ck_assert_int_eq(conf_parse(&conf, text, 0), 0);
	ck_assert_uint_eq(conf.count, 0);
	conf_finish(&conf);
	free(text);
}
END_TEST

/* Cut anywhere, a conf file parses to what was whole or is refused; nothing is read past its end.
 */
START_TEST(truncated)
{
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		const char *key, *why;
		char *exact = malloc(len ? len : 1);
		memcpy(exact, whole, len);
		int err = conf_parse(&conf, exact, len);
		ck_assert_int_eq(err, 0);
		err = conf_view(&conf, &view, &key, &why);
		ck_assert(err == 0 || err == -EINVAL);
		conf_view_wipe(&view);
		conf_finish(&conf);
		free(exact);
	}
	/* a secret without its id is one that was cut off */
	ck_assert_str_eq(fault_of("lankey=e7a1c0ff"), CONF_LANKEY_ID);
	ck_assert_str_eq(fault_of("lankey=e7a1c0ff\nlankey_id=13fb1936-c8dd"), CONF_LANKEY_ID);
	ck_assert_str_eq(fault_of("connector_contact_string=127.0.0.1:"), CONF_CONTACT);
}
END_TEST

START_TEST(set)
{
	parse("fake_port=1\n");
	ck_assert_int_eq(conf_set(&conf, "new", "value = with, all [of] it"), 0);
	ck_assert_int_eq(conf_set(&conf, CONF_LANKEY, "s"), 0);
	ck_assert_int_eq(conf_set(&conf, CONF_FAKE_PORT, "2"), 0);
	expect_text(UP_TO_PORT("s", "", "2") "new=value = with, all [of] it\n");
	ck_assert_int_eq(conf_set(&conf, CONF_LANKEY, NULL), 0);
	ck_assert_int_eq(conf_set(&conf, "never there", NULL), -EINVAL);
	ck_assert_int_eq(conf_set(&conf, "never_there", NULL), 0);
	expect_text(UP_TO_PORT("", "", "2") "new=value = with, all [of] it\n");
	conf_finish(&conf);
}
END_TEST

START_TEST(set_what_cannot_be_held)
{
	static const char *const keys[] = {"", "a b", "a=b", "a\nb", "\x01"};
	static const char *const values[] = {"a\nb", "a\rb", "\x7f", " a", "a ", "a\n"};
	parse("k=v\n");
	for (size_t i = 0; i < COUNT(keys); i++)
		ck_assert_int_eq(conf_set(&conf, keys[i], "x"), -EINVAL);
	for (size_t i = 0; i < COUNT(values); i++)
		ck_assert_int_eq(conf_set(&conf, "k", values[i]), -EINVAL);
	expect_text(UP_TO_PORT("", "", "") "k=v\n");
	conf_finish(&conf);
}
END_TEST

START_TEST(view_whole)
{
	static const uint8_t id[UUID_BYTES] = {0x13, 0xfb, 0x19, 0x36, 0xc8, 0xdd, 0x4c, 0x6b,
					       0x9a, 0xf3, 0x39, 0x40, 0x75, 0xc0, 0x84, 0x24};
	ck_assert_ptr_null(fault_of(whole));
	ck_assert(view.secured);
	ck_assert_uint_eq(view.key_len, strlen("e7a1c0ffee5ec2e7=d15ea5ed"));
	ck_assert_mem_eq(view.key, "e7a1c0ffee5ec2e7=d15ea5ed", view.key_len);
	ck_assert_mem_eq(view.key_id, id, sizeof(id));
	ck_assert_str_eq(view.contact.host, "127.0.0.1");
	ck_assert_uint_eq(view.contact.port, 50001);
	ck_assert_uint_eq(view.listener.port, 8888);
	ck_assert_uint_eq(view.mapped_count, 2);
	ck_assert_str_eq(view.mapped[1].host, "2001:db8::1");
	ck_assert_int_eq(view.update_time, 1700000000);
	ck_assert_int_eq(view.ttl, 10);
	ck_assert_int_eq(view.expiration, 1700021600);
	ck_assert_uint_eq(view.fake_port, 3664);
	conf_view_wipe(&view);
	static const struct conf_view nothing;
	ck_assert_mem_eq(&view, &nothing, sizeof(view));
}
END_TEST

START_TEST(view_unset)
{
	ck_assert_ptr_null(fault_of("fake_port=1000\nlankey=\nconnector_contact_string=\n"));
	ck_assert(!view.secured);
	ck_assert_uint_eq(view.key_len, 0);
	ck_assert_uint_eq(view.contact.port, 0);
	ck_assert_uint_eq(view.listener.port, 0);
	ck_assert_uint_eq(view.mapped_count, 0);
	ck_assert_int_eq(view.expiration, 0);
	ck_assert_ptr_null(fault_of("fake_port=1000\nlankey=x\nlankey_id=none\nlan_auth=none\n"));
	ck_assert(!view.secured);
}
END_TEST

START_TEST(view_bad)
{
	static const struct {
		const char *text, *key;
	} bad[] = {
		{"lan_auth=v2", CONF_LAN_AUTH},
		{"lankey=x\nlankey_id=13fb1936", CONF_LANKEY_ID},
		{"connector_contact_string=nowhere", CONF_CONTACT},
		{"connector_contact_string=a:1,b:2", CONF_CONTACT},
		{"connector_contact_string=999.0.2.164:80", CONF_CONTACT},
		{"listener_contact_string=a:0", CONF_LISTENER_CONTACT},
		{"listener_contact_string=10.0.2.300:80", CONF_LISTENER_CONTACT},
		{"globus_contact=a:1,b", CONF_GLOBUS_CONTACT},
		{"globus_contact=a:1,1.2.3.4.5:80", CONF_GLOBUS_CONTACT},
		{"update_time=yesterday", CONF_UPDATE_TIME},
		{"connector_contact_string_ttl=-1", CONF_CONTACT_TTL},
		{"tunnel_expiration_time=1e99", CONF_EXPIRATION},
		{"tunnel_expiration_time=nan", CONF_EXPIRATION},
		{"fake_port=65536", CONF_FAKE_PORT},
		{"fake_port=x", CONF_FAKE_PORT},
		{"", CONF_FAKE_PORT},
		{"lankey=x\nlankey_id=13fb1936-c8dd-4c6b-9af3-394075c08424", CONF_FAKE_PORT},
	};
	for (size_t i = 0; i < COUNT(bad); i++)
		ck_assert_str_eq(fault_of(bad[i].text), bad[i].key);
}
END_TEST

START_TEST(view_limits)
{
	char text[CONF_MAPPED_MAX * 8 + 96] = "fake_port=1000\nglobus_contact=",
					key[LAN_AUTH_KEY_MAX + 128];
	for (int i = 0; i < CONF_MAPPED_MAX; i++)
		strcat(text, i ? ",a:1" : "a:1");
	ck_assert_ptr_null(fault_of(text));
	ck_assert_uint_eq(view.mapped_count, CONF_MAPPED_MAX);
	ck_assert_str_eq(fault_of(strcat(text, ",a:1")), CONF_GLOBUS_CONTACT);

	for (size_t len = LAN_AUTH_KEY_MAX; len <= LAN_AUTH_KEY_MAX + 1; len++) {
		char *at = stpcpy(
			key,
			"fake_port=1000\nlankey_id=13fb1936-c8dd-4c6b-9af3-394075c08424\nlankey=");
		memset(at, 'k', len);
		at[len] = '\0';
		const char *fault = fault_of(key);
		ck_assert(len == LAN_AUTH_KEY_MAX ? fault == NULL : fault != NULL);
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("conf");
	TCase *tcase = tcase_create("conf");
	tcase_add_test(tcase, round_trip);
	tcase_add_test(tcase, put_in_order);
	tcase_add_test(tcase, always_eight);
	tcase_add_test(tcase, contact_not_known);
	tcase_add_test(tcase, written_differently);
	tcase_add_test(tcase, twice);
	tcase_add_test(tcase, not_a_conf_file);
	tcase_add_test(tcase, size);
	tcase_add_test(tcase, truncated);
	tcase_add_test(tcase, set);
	tcase_add_test(tcase, set_what_cannot_be_held);
	tcase_add_test(tcase, view_whole);
	tcase_add_test(tcase, view_unset);
	tcase_add_test(tcase, view_bad);
	tcase_add_test(tcase, view_limits);
	suite_add_tcase(suite, tcase);
	return suite;
}
