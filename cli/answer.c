#include "cli/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/cleanup.h"
#include "cli/json.h"

#define MESSAGE_MAX 600 /* a line can be read; a page of HTML cannot */

__attribute__((format(printf, 2, 3))) static void add(char **text, const char *format, ...)
{
	char *more = NULL, *joined = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&more, format, args) < 0)
		more = NULL;
	va_end(args);
	if (more && asprintf(&joined, "%s%s%s", *text ? *text : "", *text ? "; " : "", more) >= 0) {
		free(*text);
		*text = joined;
	}
	free(more);
}

/* "code: title: detail" with what there is of it. */
static void add_parts(char **text, const char *const parts[3])
{
	char line[MESSAGE_MAX] = "";
	size_t len = 0;
	for (int i = 0; i < 3; i++) {
		if (!parts[i] || !*parts[i] ||
		    (i && parts[i - 1] && !strcmp(parts[i], parts[i - 1])))
			continue;
		int n = snprintf(line + len, sizeof(line) - len, "%s%s", len ? ": " : "", parts[i]);
		len += (size_t)n < sizeof(line) - len ? (size_t)n : sizeof(line) - len - 1;
	}
	if (len)
		add(text, "%s", line);
}

static void add_errors(char **text, const cJSON *list)
{
	const cJSON *item;
	cJSON_ArrayForEach(item, list)
	{
		const char *parts[] = {json_text(item, "code"), json_text(item, "title"),
				       json_text(item, "detail")};
		if (!parts[1] && !parts[2])
			parts[1] = json_text(item, "message");
		add_parts(text, parts);
	}
}

/* loc is the way to the value: ["body", "data", "attributes", "label"]. */
static void add_details(char **text, const cJSON *list)
{
	const cJSON *item, *step;
	cJSON_ArrayForEach(item, list)
	{
		const char *message = json_text(item, "msg");
		char where[256] = "";
		size_t len = 0;
		cJSON_ArrayForEach(step, json_at(item, "loc"))
		{
			if (cJSON_IsString(step) && len < sizeof(where))
				len += (size_t)snprintf(where + len, sizeof(where) - len, "%s%s",
							len ? "." : "", step->valuestring);
			else if (cJSON_IsNumber(step) && len < sizeof(where))
				len += (size_t)snprintf(where + len, sizeof(where) - len, "[%d]",
							step->valueint);
		}
		if (message)
			add(text, "%s%s%s", where, *where ? ": " : "", message);
	}
}

char *answer_message(const cJSON *answer)
{
	char *text = NULL;
	const cJSON *detail = json_at(answer, "detail");
	if (cJSON_IsArray(json_at(answer, "errors")))
		add_errors(&text, json_at(answer, "errors"));
	if (cJSON_IsArray(detail))
		add_details(&text, detail);
	if (!text) {
		const char *parts[] = {json_text(answer, "code"), json_text(answer, "message"),
				       json_text(answer, "detail")};
		add_parts(&text, parts);
	}
	if (!text) {
		const char *parts[] = {json_text(answer, "error"),
				       json_text(answer, "error_description"), NULL};
		add_parts(&text, parts);
	}
	if (text && strlen(text) > MESSAGE_MAX)
		strcpy(text + MESSAGE_MAX - 3, "...");
	return text;
}

/* The texts of a list, or a text alone. */
static void add_list(char **out, const cJSON *list, char between)
{
	const cJSON *item;
	if (cJSON_IsString(list)) {
		free(*out);
		*out = strdup(list->valuestring);
		return;
	}
	cJSON_ArrayForEach(item, list)
	{
		char *joined = NULL;
		if (!cJSON_IsString(item))
			continue;
		if (!*out)
			joined = strdup(item->valuestring);
		else if (asprintf(&joined, "%s%c%s", *out, between, item->valuestring) < 0)
			joined = NULL;
		free(*out);
		*out = joined;
	}
}

static void take_text(char **out, const cJSON *item)
{
	if (!*out && cJSON_IsString(item))
		*out = strdup(item->valuestring);
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
	cJSON_ArrayForEach(item, json_at(answer, "errors"))
	{
		take_object(demands, item);
		take_object(demands, json_at(item, "detail"));
		take_object(demands, json_at(item, "extra"));
	}
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
