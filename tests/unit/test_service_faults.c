/* Whole commands, and services and clocks that are at fault: what fails for good ends in one line
 * that says what happened, with no file changed; what passes is as if it had not been. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/service/json.h"
#include "tests/unit/suite.h"
#include "tests/unit/trials.h"

#define ERROR(text) .body = text, .len = sizeof(text) - 1
#define JSON_API(code, title, detail)                                                              \
	ERROR("{\"errors\":[{\"code\":\"" code "\",\"title\":\"" title "\",\"detail\":\"" detail   \
	      "\"}]}")

enum { ONCE = 1, AGAIN = 6, WITH_TOKEN = 2 };

/* What is answered each time, how often it is asked then, the status, and what the line says. */
static const struct {
	struct reply reply;
	int tries, status;
	const char *hint;
} faults[] = {
	{{401, JSON_API("UNAUTHORIZED", "No", "bad token")}, WITH_TOKEN, 1, "401"},
	{{403, JSON_API("FORBIDDEN", "No", "not yours")}, ONCE, 1, "not yours"},
	{{403, ERROR("{\"code\":\"PermissionDenied\",\"message\":\"not yours\"}")},
	 ONCE,
	 1,
	 "not yours"},
	{{403, ERROR("{\"errors\":[{\"code\":\"x\",\"authorization_parameters\":{"
		     "\"session_message\":\"use your other account\","
		     "\"session_required_single_domain\":[\"example.org\"]}}]}")},
	 ONCE,
	 4,
	 "other account"},
	{{403, ERROR("{\"code\":\"ConsentRequired\",\"message\":\"consent\",\"required_scopes\":["
		     "\"urn:a\"]}")},
	 ONCE,
	 4,
	 "urn:a'"},
	{{404, JSON_API("NOT_FOUND", "Not Found", "no such thing")}, ONCE, 1, "no such thing"},
	{{409, JSON_API("CONFLICT", "Conflict", "in the way")}, ONCE, 1, "in the way"},
	{{422, ERROR("{\"detail\":[{\"loc\":[\"body\",\"label\"],\"msg\":\"too "
		     "long\",\"type\":\"t\"}]}")},
	 ONCE,
	 1,
	 "body.label: too long"},
	{{429, JSON_API("LIMIT", "Too Many Requests", "slowly"), .retry_after = 3},
	 AGAIN,
	 1,
	 "slowly"},
	{{500, JSON_API("E", "broken", "x")}, AGAIN, 1, "try again later"},
	/* The body decides: an endpoint is at fault, which a retry does not mend. */
	{{500, JSON_API("ExternalError", "no", "x")}, ONCE, 1, "the endpoint failed"},
	{{502, JSON_API("EndpointError", "no", "x")}, ONCE, 1, "endpoint's administrator"},
	{{503, JSON_API("ExternalError", "no", "x")}, ONCE, 1, "the endpoint failed"},
	{{504, ERROR("{\"errors\":[{\"code\":\"E\"},{\"code\":\"EndpointError\"}]}")},
	 ONCE,
	 1,
	 "the endpoint failed"},
	{{429, JSON_API("ExternalError", "no", "x"), .retry_after = 3}, ONCE, 1, "endpoint failed"},
	{{503, JSON_API("E", "EndpointError", "ExternalError")}, AGAIN, 1, "try again later"},
	{{503, ERROR("{\"code\":\"EndpointError\",\"message\":\"x\"}")}, AGAIN, 1, "later"},
	{{503, JSON_API("E", "away", "x")}, AGAIN, 1, "try again later"},
	{{0, .fault = CURLE_OPERATION_TIMEDOUT},
	 AGAIN,
	 1,
	 "(6 tries): the answer was not complete within 60 s"},
	{{0, .fault = CURLE_RECV_ERROR}, AGAIN, 1, "(6 tries)"},
	{{0, .fault = CURLE_PARTIAL_FILE}, AGAIN, 1, "(6 tries)"},
	{{0, .fault = CURLE_GOT_NOTHING}, AGAIN, 1, "(6 tries)"},
	{{0, .fault = CURLE_COULDNT_RESOLVE_HOST}, AGAIN, 1, "DNS"},
	{{0, .fault = CURLE_COULDNT_CONNECT}, AGAIN, 1, "(6 tries)"},
	{{0, .fault = CURLE_PEER_FAILED_VERIFICATION}, ONCE, 1, "GLOBUS_SDK_VERIFY_SSL"},
};

#define ERRORS 18 /* of them have a body */

static void expect_asked(const struct trial *trial, const char *what, int tries, bool auth)
{
	int asked = services_asked(trial_route(trial));
	/* On 409 the old secret makes room for a new one. */
	bool room = trial->flags & CONF && !strcmp(trial->path, "/gcs/api/lan_secrets");
	/* What is asked for without a token is not asked again with another. */
	if (tries == WITH_TOKEN && (auth || !strcmp(trial->path, "/gcs/api/info")))
		tries = ONCE;
	if (strcmp(what, "409") != 0 || !room)
		ck_assert_msg(asked == tries, "%s: asked %d times", what, asked);
	if (tries == AGAIN)
		ck_assert_msg(services_slept() >= (strcmp(what, "429") ? 31 * 250 - 5 : 5 * 3000) &&
				      services_slept() <=
					      (strcmp(what, "429") ? 31 * 750 : 5 * 3000),
			      "%s: slept %ld ms", what, services_slept());
}

START_TEST(test_faults)
{
	const struct trial *trial = &trials[_i];
	bool auth = !strncmp(trial->path, "/v2/oauth2/token", 16);
	bool login = trial->tokens >= NO_LOGIN;
	for (size_t i = 0; i < COUNT(faults); i++) {
		long http = faults[i].reply.status;
		int status = faults[i].status, tries = faults[i].tries;
		char what[32];
		snprintf(what, sizeof(what), http ? "%ld" : "fault %ld",
			 http ? http : (long)faults[i].reply.fault);
		trial_prepare(trial);
		services_answer(trial_route(trial), &faults[i].reply, -1);
		struct ended ended = services_run(trial->words, "code\n");
		/* Auth speaks of no endpoints. */
		if (auth && tries == ONCE && (http == 429 || http >= 500))
			tries = AGAIN;
		expect_asked(trial, what, tries, auth);
		if (trial->flags & NOT_NEEDED) {
			bool gone = http == 404 && trial->flags & MAY_BE_GONE;
			ck_assert_msg(ended.status == 0 &&
					      (gone ? !*ended.err : trial_is_one_line(ended.err)),
				      "%s: exit %d, %s", what, ended.status, ended.err);
			continue;
		}
		/* Auth asks for no other login where a login is made. */
		if (auth || (login && status == 4))
			status = ended.status == 4 && login ? 4 : 1;
		ck_assert_msg(ended.status == status && trial_is_one_line(ended.err),
			      "%s: exit %d, %s", what, ended.status, ended.err);
		ck_assert_msg(auth || strstr(ended.err, faults[i].hint), "%s: %s", what, ended.err);
		ck_assert_msg(trial_is_unchanged(http), "%s changed %s", what, services_files());
		if (strcmp(trial->path, "/gcs/api/lan_secrets") != 0)
			trial_expect_no_secret_left(what);
	}
}
END_TEST

/* What passes is as if it had not been, after a pause. */
START_TEST(test_faults_that_pass)
{
	static const struct {
		struct reply reply;
		long slept_min, slept_max;
	} passing[] = {
		{{401, JSON_API("UNAUTHORIZED", "No", "bad token")}, 0, 0},
		{{429, JSON_API("LIMIT", "x", "x"), .retry_after = 2}, 2000, 2000},
		{{429, JSON_API("LIMIT", "x", "x"), .retry_after = 3600}, 10000, 10000},
		{{500, ERROR("<html>")}, 250, 750},
		{{502, ERROR("")}, 250, 750},
		{{503, JSON_API("E", "away", "x"), .retry_after = 1}, 1000, 1000},
		{{504, ERROR("<html>")}, 250, 750},
		{{0, .fault = CURLE_OPERATION_TIMEDOUT}, 250, 750},
		{{0, .fault = CURLE_RECV_ERROR}, 250, 750},
		{{0, .fault = CURLE_PARTIAL_FILE}, 250, 750},
		{{0, .fault = CURLE_COULDNT_RESOLVE_HOST}, 250, 750},
	};
	const struct trial *trial = &trials[_i];
	const struct route *route = trial_route(trial);
	trial_attempt(trial, &route->reply, false, "as usual");
	int asked = services_asked(route);
	/* The first is about a token, and these are asked for without. */
	bool open = !strncmp(trial->path, "/v2/oauth2/token", 16) ||
		    !strcmp(trial->path, "/gcs/api/info");
	for (size_t i = open; i < COUNT(passing); i++) {
		trial_prepare(trial);
		services_answer(route, &passing[i].reply, 1);
		struct ended ended = services_run(trial->words, "code\n");
		long slept = services_slept();
		ck_assert_msg(ended.status == 0 && !*ended.err, "%zu: exit %d, %s", i, ended.status,
			      ended.err);
		ck_assert_msg(slept >= passing[i].slept_min && slept <= passing[i].slept_max,
			      "%zu: slept %ld ms", i, slept);
		ck_assert_int_eq(services_asked(route), asked + 1);
	}
}
END_TEST

/* The words of an error answer are for people: whatever they are, the line is one. */
START_TEST(test_errors_that_are_garbled)
{
	const struct trial *trial = &trials[0];
	const struct reply *whole = &faults[_i].reply;
	cJSON *document = json_parse(whole->body, whole->len), *owner;
	for (size_t len = 0; len < whole->len; len++) {
		struct reply cut = {.status = whole->status, .body = whole->body, .len = len};
		trial_attempt(trial, &cut, true, "a cut error");
	}
	for (int change = 0; change < CHANGES; change++)
		for (size_t n = 0;; n++) {
			char path[PATH_LEN] = "";
			cJSON *copy = cJSON_Duplicate(document, true);
			cJSON *item = trial_nth(copy, n, path, &owner);
			if (item)
				trial_replace(owner, item, (enum change)change);
			char *text = item ? cJSON_PrintUnformatted(copy) : NULL;
			cJSON_Delete(copy);
			if (!text)
				break;
			struct reply reply = {
				.status = whole->status, .body = text, .len = strlen(text)};
			trial_prepare(trial);
			services_answer(trial_route(trial), &reply, -1);
			struct ended ended = services_run(trial->words, NULL);
			ck_assert_msg((ended.status == 1 || ended.status == 4) &&
					      trial_is_one_line(ended.err),
				      "%s: exit %d, %s", text, ended.status, ended.err);
			free(text);
		}
	cJSON_Delete(document);
}
END_TEST

/* --- a clock that jumps --- */

static const char *const show[] = {"tunnel", "show", TUNNEL_ID, NULL};
static const char *const lookup[] = {"environment", "contact-lookup", TUNNEL_ID, NULL};
static const char *const initialize[] = {"environment", "initialize", TUNNEL_ID, NULL};

#define NOW      1795000000LL
#define LIFETIME 172800

static int tokens_asked(void)
{
	return services_asked(services_route("POST", "/v2/oauth2/token"));
}

START_TEST(test_clock_and_tokens)
{
	static const struct {
		long long jump;
		int asked; /* for a token */
	} jumps[] = {
		{0, 0},         {LIFETIME - 61, 0},      {LIFETIME - 60, 1},
		{LIFETIME, 1},  {100LL * LIFETIME, 1},   {-100, 0},
		{-LIFETIME, 0}, {-365LL * 24 * 3600, 0}, {-NOW + 1, 0},
	};
	for (size_t i = 0; i < COUNT(jumps); i++) {
		services_reset();
		services_folder(NO_TOKENS);
		services_set_clock(NOW);
		ck_assert_int_eq(services_run(show, NULL).status, 0);
		services_reset();
		services_set_clock(NOW + jumps[i].jump);
		ck_assert_int_eq(services_run(show, NULL).status, 0);
		ck_assert_msg(tokens_asked() == jumps[i].asked, "%lld: %d", jumps[i].jump,
			      tokens_asked());
		/* Whatever was made of it, the service has the last word. */
		services_reset();
		services_answer(services_route("GET", "/v2/tunnels/" TUNNEL_ID), &faults[0].reply,
				1);
		ck_assert_int_eq(services_run(show, NULL).status, 0);
		ck_assert_int_eq(tokens_asked(), 1);
	}
}
END_TEST

START_TEST(test_clock_and_contacts)
{
	static const struct {
		long long jump;
		int asked; /* for the tunnel */
	} jumps[] = {
		{0, 0},  {10, 0}, {11, 1},      {100000, 1},   {-1, 0},
		{-2, 0}, {-3, 1}, {-100000, 1}, {-NOW + 1, 1},
	};
	const struct route *tunnel = services_route("GET", "/v2/tunnels/" TUNNEL_ID);
	for (size_t i = 0; i < COUNT(jumps); i++) {
		services_reset();
		services_folder(CLIENT_TOKENS);
		services_set_clock(NOW);
		ck_assert_int_eq(services_run(initialize, NULL).status, 0);
		for (int again = 0; again < 2; again++) {
			services_reset();
			services_set_clock(NOW + jumps[i].jump);
			struct ended ended = services_run(lookup, NULL);
			ck_assert_int_eq(ended.status, 0);
			ck_assert_str_eq(ended.out, "127.0.0.1:43099\n");
			/* The second finds what the first has stored by the clock as it is now. */
			ck_assert_msg(services_asked(tunnel) == (again ? 0 : jumps[i].asked),
				      "%lld: %d", jumps[i].jump, services_asked(tunnel));
		}
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("service_faults");
	TCase *cases = tcase_create("service_faults");
	tcase_set_timeout(cases, 30);
	tcase_add_loop_test(cases, test_faults, 0, TRIALS);
	tcase_add_loop_test(cases, test_faults_that_pass, 0, TRIALS);
	tcase_add_loop_test(cases, test_errors_that_are_garbled, 0, ERRORS);
	tcase_add_test(cases, test_clock_and_tokens);
	tcase_add_test(cases, test_clock_and_contacts);
	suite_add_tcase(suite, cases);
	return suite;
}
