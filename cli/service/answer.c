#include "cli/service/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/base/text.h"
#include "cli/service/json.h"

#define MESSAGE_MAX 600  /* one line is readable; a page of HTML is not */
#define LIST_MAX    2000 /* bytes of a list of scopes, identities, ... */
#define ERRORS_MAX  64   /* of an answer that are searched for demands */

/* Text that grows up to a limit; what exceeds it is left out. So the work is bounded by the
 * limit and the length of the answer. */
struct growing {
	char text[LIST_MAX + 1];
	size_t len, max;
	bool full;
};

/* Add between (if the text is not empty) and more: all of it, or nothing, setting full. */
static void add_whole(struct growing *list, char between, const char *more)
{
	size_t room = list->max - list->len, len = strnlen(more, room + 1);
	bool join = list->len > 0 && between;
	if (list->full || len + join > room) {
		list->full = true;
		return;
	}
	if (join)
		list->text[list->len++] = between;
	memcpy(list->text + list->len, more, len + 1);
	list->len += len;
}

/* The same with as much of more as fits. */
static void add_part(struct growing *line, const char *between, const char *more)
{
	for (int i = 0; i < 2; i++) {
		const char *text = i ? more : line->len ? between : "";
		size_t room = line->max - line->len, len = strnlen(text, room);
		memcpy(line->text + line->len, text, len);
		line->len += len;
		line->full = line->full || text[len];
	}
}

/* A copy, or NULL where nothing was added. */
static char *finish(const struct growing *grown)
{
	return grown->len ? text_cut(grown->text, MESSAGE_MAX) : NULL;
}

/* "code: title: detail", those that exist. */
static void add_parts(struct growing *line, const char *const parts[3])
{
	const char *between = "; ";
	for (int i = 0; i < 3; i++) {
		if (!parts[i] || !*parts[i] ||
		    (i && parts[i - 1] && !strcmp(parts[i], parts[i - 1])))
			continue;
		add_part(line, between, parts[i]);
		between = ": ";
	}
}

static void add_errors(struct growing *line, const cJSON *list)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		const char *parts[] = {json_text(item, "code"), json_text(item, "title"),
				       json_text(item, "detail")};
		if (!parts[1] && !parts[2])
			parts[1] = json_text(item, "message");
		add_parts(line, parts);
		if (line->full)
			return;
	}
}

/* loc is the path to the value: ["body", "data", "attributes", "label"]. */
static void add_details(struct growing *line, const cJSON *list)
{
	const cJSON *item, *step;
	cJSON_ArrayForEach(item, list)
	{
		const char *message = json_text(item, "msg");
		const char *between = "; ";
		if (!message || line->full)
			continue;
		cJSON_ArrayForEach(step, json_at(item, "loc"))
		{
			char number[16];
			snprintf(number, sizeof(number), "[%d]", step->valueint);
			if (cJSON_IsString(step))
				add_part(line, between, step->valuestring);
			else if (cJSON_IsNumber(step))
				add_part(line, *between == ';' ? between : "", number);
			else
				continue;
			between = ".";
			if (line->full)
				break;
		}
		add_part(line, *between == '.' ? ": " : between, message);
	}
}

char *answer_message(const cJSON *answer)
{
	struct growing line = {.max = LIST_MAX};
	const cJSON *detail = json_at(answer, "detail");
	if (cJSON_IsArray(json_at(answer, "errors")))
		add_errors(&line, json_at(answer, "errors"));
	if (cJSON_IsArray(detail))
		add_details(&line, detail);
	if (!line.len) {
		const char *parts[] = {json_text(answer, "code"), json_text(answer, "message"),
				       json_text(answer, "detail")};
		add_parts(&line, parts);
	}
	if (!line.len) {
		const char *parts[] = {json_text(answer, "error"),
				       json_text(answer, "error_description"), NULL};
		add_parts(&line, parts);
	}
	return finish(&line);
}

bool answer_blames_endpoint(const cJSON *answer)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, json_at(answer, "errors"))
	{
		const char *code = json_text(item, "code");
		if (code && (!strcmp(code, "ExternalError") || !strcmp(code, "EndpointError")))
			return true;
	}
	return false;
}

/* Add the texts of a list, or a text alone, to what is in *out. */
static void add_list(char **out, const cJSON *list, char between)
{
	const cJSON *item;
	struct growing grown = {.max = LIST_MAX};
	if (*out)
		add_whole(&grown, 0, *out);
	if (cJSON_IsString(list))
		add_whole(&grown, between, list->valuestring);
	cJSON_ArrayForEach(item, list)
	{
		if (cJSON_IsString(item))
			add_whole(&grown, between, item->valuestring);
		if (grown.full)
			break;
	}
	free(*out);
	*out = grown.len ? strdup(grown.text) : NULL;
}

static void take_text(char **out, const cJSON *item)
{
	if (!*out && cJSON_IsString(item))
		*out = text_cut(item->valuestring, MESSAGE_MAX);
}

static void take_parameters(struct demands *demands, const cJSON *parameters)
{
	if (!cJSON_IsObject(parameters))
		return;
	demands->any = true;
	take_text(&demands->message, json_at(parameters, "session_message"));
	take_text(&demands->prompt, json_at(parameters, "prompt"));
	add_list(&demands->scopes, json_at(parameters, "required_scopes"), ' ');
	add_list(&demands->identities, json_at(parameters, "session_required_identities"), ',');
	add_list(&demands->policies, json_at(parameters, "session_required_policies"), ',');
	add_list(&demands->domains, json_at(parameters, "session_required_single_domain"), ',');
	demands->mfa = demands->mfa || cJSON_IsTrue(json_at(parameters, "session_required_mfa"));
}

static bool is_type(const cJSON *object, const char *type)
{
	const char *found = json_text(object, "DATA_TYPE");
	return found && strncmp(found, type, strlen(type)) == 0;
}

/* The detail of a GCS Manager that gives no authorization_parameters: the last login is older than
 * the gateway's authentication_timeout_mins, or not from one of its allowed_domains. */
static void take_detail(struct demands *demands, const cJSON *detail)
{
	if (is_type(detail, "authentication_timeout#")) {
		demands->any = true;
		add_list(&demands->identities, json_at(detail, "identities"), ',');
		demands->mfa = cJSON_IsTrue(json_at(detail, "require_mfa"));
		if (!demands->prompt)
			demands->prompt = strdup("login");
	} else if (is_type(detail, "not_from_allowed_domain#")) {
		demands->any = true;
		add_list(&demands->domains, json_at(detail, "allowed_domains"), ',');
	}
}

/* {"code":"ConsentRequired","required_scopes":[…]}, or "required_scope":"…" in older services. */
static void take_consent(struct demands *demands, const cJSON *object)
{
	const char *code = json_text(object, "code");
	if (!code)
		code = json_text(object, "error");
	if (!code || (strcasecmp(code, "ConsentRequired") != 0 &&
		      strcasecmp(code, "dependent_consent_required") != 0))
		return;
	demands->any = true;
	if (!demands->scopes)
		add_list(&demands->scopes, json_at(object, "required_scopes"), ' ');
	if (!demands->scopes)
		add_list(&demands->scopes, json_at(object, "required_scope"), ' ');
}

static void take_object(struct demands *demands, const cJSON *object)
{
	if (!cJSON_IsObject(object))
		return;
	take_parameters(demands, json_at(object, "authorization_parameters"));
	take_consent(demands, object);
}

void answer_demands(const cJSON *answer, struct demands *demands)
{
	const cJSON *item;
	*demands = (struct demands){0};
	take_object(demands, answer);
	take_object(demands, json_at(answer, "detail"));
	take_object(demands, json_at(answer, "extra"));
	int left = ERRORS_MAX;
	cJSON_ArrayForEach(item, json_at(answer, "errors"))
	{
		if (left-- == 0)
			break;
		take_object(demands, item);
		take_object(demands, json_at(item, "detail"));
		take_object(demands, json_at(item, "extra"));
	}
	if (!demands->any)
		take_detail(demands, json_at(answer, "detail"));
	if (demands->any && !demands->message)
		demands->message = answer_message(answer);
}

void demands_finish(struct demands *demands)
{
	free(demands->message);
	free(demands->scopes);
	free(demands->identities);
	free(demands->policies);
	free(demands->domains);
	free(demands->prompt);
	*demands = (struct demands){0};
}
