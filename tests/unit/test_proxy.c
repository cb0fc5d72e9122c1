/* Which proxy a URL is asked through, in words. */

#include "cli/base/proxy.h"

#include <stdlib.h>

#include "tests/unit/suite.h"

static const struct {
	const char *name, *value, *no_proxy, *url, *described;
} cases[] = {
	{"https_proxy", "http://p:3128", NULL, "https://a.org/x", "http://p:3128 (https_proxy)"},
	{"HTTPS_PROXY", "p:3128", NULL, "https://a.org", "p:3128 (HTTPS_PROXY)"},
	{"http_proxy", "http://p:3128/", NULL, "http://a.org:80", "http://p:3128/ (http_proxy)"},
	{"HTTP_PROXY", "http://p:3128", NULL, "http://a.org", ""},
	{"all_proxy", "socks5h://p", NULL, "https://a.org", "socks5h://p (all_proxy)"},
	{"ALL_PROXY", "socks5h://p", NULL, "http://a.org", "socks5h://p (ALL_PROXY)"},
	{"https_proxy", "http://p", NULL, "http://a.org", ""},
	{"https_proxy", "", NULL, "https://a.org", ""},
	{"https_proxy", "http://me:secret@p:1", NULL, "https://a.org", "http://p:1 (https_proxy)"},
	{"https_proxy", "me:se@cret@p:1", NULL, "https://a.org", "p:1 (https_proxy)"},
	{"https_proxy", "http://p", "*", "https://a.org", ""},
	{"https_proxy", "http://p", "b.org, a.org", "https://A.org:443/", ""},
	{"https_proxy", "http://p", ".org", "https://a.org", ""},
	{"https_proxy", "http://p", "org", "https://u@a.org/x@y", ""},
	{"https_proxy", "http://p", "x.a.org,rg", "https://a.org", "http://p (https_proxy)"},
	{"https_proxy", "http://p", "::1", "https://[::1]:8443/", ""},
	{"https_proxy", "http://p", "127.0.0.1", "https://127.0.0.1:1", ""},
	{"https_proxy", "http://p", "127.0.0.0/8", "https://127.0.0.1:1", ""},
	{"https_proxy", "http://p", "127.0.0.0/8", "https://a.org", "http://p (https_proxy)"},
};

START_TEST(test_described)
{
	static const char *const names[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
					    "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
					    "no_proxy",    "NO_PROXY"};
	char text[PROXY_TEXT_MAX];
	for (size_t i = 0; i < COUNT(names); i++)
		unsetenv(names[i]);
	setenv(cases[_i].name, cases[_i].value, 1);
	if (cases[_i].no_proxy)
		setenv(_i % 2 ? "no_proxy" : "NO_PROXY", cases[_i].no_proxy, 1);
	proxy_describe(cases[_i].url, text);
	ck_assert_str_eq(text, cases[_i].described);
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("proxy");
	tcase_add_loop_test(add_case(suite, "proxy", NULL, NULL), test_described, 0, COUNT(cases));
	return suite;
}
