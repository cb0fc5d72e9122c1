/* Whole commands, and services that answer what they should not: every answer cut at every byte,
 * every value in it missing, null and of every other type, and a page of HTML in its place. Each
 * time: one line on stderr, exit status 1, no file changed; or, where the value is not needed, the
 * same as usual. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/service/json.h"
#include "tests/unit/suite.h"
#include "tests/unit/trials.h"

static char usual[1 << 16];

START_TEST(test_as_usual)
{
	const struct trial *trial = &trials[_i];
	trial_attempt(trial, &trial_route(trial)->reply, false, "as usual");
}
END_TEST

START_TEST(test_every_byte)
{
	const struct trial *trial = &trials[_i];
	struct reply whole = trial_route(trial)->reply;
	for (size_t len = 0; len < whole.len; len++) {
		char what[32];
		struct reply cut = {.status = whole.status, .body = whole.body, .len = len};
		snprintf(what, sizeof(what), "cut at %zu", len);
		trial_attempt(trial, &cut, len || !(trial->flags & MAY_BE_EMPTY), what);
	}
}
END_TEST

static const char html[] = "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>"
			   "<body>\n<h1>nginx</h1>\n</body></html>\n";

START_TEST(test_other_bodies)
{
	static const char *const bodies[] = {html, "null", "7",        "\"x\"",
					     "[]", "true", "\xff\xfe", "{}{}"};
	static const long statuses[] = {200, 201, 400, 404, 500, 502};
	for (size_t i = 0; i < COUNT(statuses); i++)
		for (size_t j = 0; j < COUNT(bodies); j++) {
			char what[80];
			struct reply reply = {
				.status = statuses[i], .body = bodies[j], .len = strlen(bodies[j])};
			snprintf(what, sizeof(what), "%ld %.10s", statuses[i], bodies[j]);
			trial_attempt(&trials[_i], &reply, true, what);
		}
}
END_TEST

/* --- values that are not what they should be --- */

static const char *const change_names[] = {"missing", "null",   "a text",   "a number",
					   "true",    "a list", "an object"};

static bool is_already(const cJSON *item, enum change change)
{
	return (change == SET_NULL && cJSON_IsNull(item)) ||
	       (change == TEXT && cJSON_IsString(item)) ||
	       (change == NUMBER && cJSON_IsNumber(item)) ||
	       (change == TRUE && cJSON_IsBool(item)) ||
	       (change == LIST && cJSON_IsArray(item) && !item->child) ||
	       (change == OBJECT && cJSON_IsObject(item) && !item->child);
}

static const struct field *field_at(const struct field *fields, const char *path)
{
	for (; fields->path; fields++)
		if (!strcmp(fields->path, path))
			return fields;
	return NULL;
}

/* Whether something that is taken lies below path; *needed: something that is needed. */
static bool is_above(const struct field *fields, const char *path, bool *needed)
{
	bool any = false;
	size_t len = strlen(path);
	*needed = false;
	for (; fields->path; fields++) {
		if (strncmp(fields->path, path, len) != 0 || fields->path[len] != '.')
			continue;
		any = true;
		*needed = *needed || fields->needed;
	}
	return any;
}

/* Whether the command cannot use the answer with that change. */
static bool is_fault(const struct field *fields, const char *path, const cJSON *item,
		     enum change change)
{
	bool needed;
	const struct field *field = field_at(fields, path);
	if (field && (change == REMOVE || (change == SET_NULL && field->kind != 'e')))
		return field->needed;
	if (field && field->kind == 'l' && change == LIST)
		return false;
	if (field && field->kind == 'L' && change == LIST)
		return true;
	if (field)
		return !is_already(item, change) || field->kind == 'w' || field->kind == 'u';
	if (!is_above(fields, path, &needed))
		return false;
	return needed || !(change == REMOVE || change == SET_NULL || change == OBJECT);
}

/* The last part of a path: what a line about it has to name. */
static const char *last_part(const char *path)
{
	const char *dot = strrchr(path, '.');
	return dot ? dot + 1 : path;
}

/* One change of one value; false: there is no nth. */
static bool attempt_change(const struct trial *trial, size_t n, enum change change)
{
	const struct reply *whole = &trial_route(trial)->reply;
	char path[PATH_LEN] = "", what[PATH_LEN + 32];
	cJSON *document = json_parse(whole->body, whole->len), *owner = NULL;
	cJSON *item = trial_nth(document, n, path, &owner);
	bool there = item;
	bool fault = there && is_fault(trial->fields, path, item, change);
	if (there && (!is_already(item, change) || fault)) {
		const struct field *field = field_at(trial->fields, path);
		bool known = field || is_above(trial->fields, path, &(bool){false});
		trial_replace(owner, item, change);
		char *text = cJSON_PrintUnformatted(document);
		struct reply reply = {.status = whole->status, .body = text, .len = strlen(text)};
		snprintf(what, sizeof(what), "%s: %s", path, change_names[change]);
		struct ended ended = trial_attempt(trial, &reply, fault, what);
		if (fault && field && !strchr("ec", field->kind) &&
		    (field->kind != 'w' || change != TEXT))
			ck_assert_msg(strstr(ended.err, last_part(path)), "%s: %s", what,
				      ended.err);
		/* With --format json the service's own words are passed on. */
		if (!known && !strchr(ended.out, '{'))
			ck_assert_msg(!strcmp(ended.out, usual), "%s: %s", what, ended.out);
		free(text);
	}
	cJSON_Delete(document);
	return there;
}

START_TEST(test_every_value)
{
	const struct trial *trial = &trials[_i];
	const struct reply *whole = &trial_route(trial)->reply;
	snprintf(usual, sizeof(usual), "%s", trial_attempt(trial, whole, false, "as usual").out);
	for (int change = 0; change < CHANGES; change++) {
		size_t n = 0;
		while (attempt_change(trial, n, (enum change)change))
			n++;
		ck_assert_uint_ge(n, 1);
	}
}
END_TEST

/* What is not waited for to its end is there all the same, and its id must not be lost. */
START_TEST(test_created_but_lost)
{
	static const char *const words[] = {"tunnel",     "create",    "--wait=5",
					    INITIATOR_AP, LISTENER_AP, NULL};
	static const char *const bodies[] = {html, "{}", "{\"data\":{\"id\":5}}", ""};
	for (size_t i = 0; i < COUNT(bodies); i++) {
		struct reply reply = {200, bodies[i], strlen(bodies[i])};
		services_reset();
		services_folder(CLIENT_TOKENS);
		services_answer(services_route("GET", "/v2/tunnels/" TUNNEL_ID), &reply, -1);
		struct ended ended = services_run(words, NULL);
		ck_assert_int_eq(ended.status, 1);
		/* The id, which is said before the wait, and then the failure. */
		const char *failure = strchr(ended.err, '\n');
		ck_assert_msg(failure && trial_is_one_line(failure + 1) &&
				      strstr(failure, "tunnel " TUNNEL_ID " is created"),
			      "%s", ended.err);
	}
}
END_TEST

Suite *test_suite(void)
{
	Suite *suite = suite_create("services");
	TCase *cases = tcase_create("services");
	tcase_set_timeout(cases, 30);
	tcase_add_loop_test(cases, test_as_usual, 0, TRIALS);
	tcase_add_loop_test(cases, test_every_byte, 0, TRIALS);
	tcase_add_loop_test(cases, test_other_bodies, 0, TRIALS);
	tcase_add_loop_test(cases, test_every_value, 0, TRIALS);
	tcase_add_test(cases, test_created_but_lost);
	suite_add_tcase(suite, cases);
	return suite;
}
