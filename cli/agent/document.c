#include "cli/agent/document.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "protocol/contact.h"

#define LISTENER "seccompFd" /* its name among the descriptors */

ssize_t agent_end_find(struct agent_end *end, const char *data, size_t len, char *over)
{
	*over = 0;
	for (size_t i = 0; i < len; i++) {
		char c = data[i];
		if (end->escaped)
			end->escaped = 0;
		else if (end->in_text && c == '\\')
			end->escaped = 1;
		else if (c == '"')
			end->in_text = !end->in_text;
		else if (!end->in_text && (c == '{' || c == '['))
			end->depth++;
		else if (!end->in_text && (c == '}' || c == ']'))
			end->depth--;
		if (end->depth <= 0 && !end->in_text && (c == '}' || c == ']')) {
			*over = 1;
			return (ssize_t)i + 1;
		}
		if (end->depth == 0 && (!c || !strchr(" \t\r\n", c)))
			return -EPROTO;
	}
	return (ssize_t)len;
}

/* The member of that name; NULL: there is none, or more than one, of which readers take one or the
 * other. */
static const cJSON *member(const cJSON *object, const char *name)
{
	const cJSON *found = NULL;
	for (const cJSON *at = cJSON_IsObject(object) ? object->child : NULL; at; at = at->next) {
		if (strcmp(at->string, name) != 0)
			continue;
		if (found)
			return NULL;
		found = at;
	}
	return found;
}

static int fail(const char **why, const char *text)
{
	*why = text;
	return -EINVAL;
}

/* The place of the listener among the descriptors, which are named in their order. */
static int read_descriptors(struct agent_document *document, const cJSON *names, size_t count,
			    const char **why)
{
	int found = 0, place = 0;
	if (!cJSON_IsArray(names) || (size_t)cJSON_GetArraySize(names) != count)
		return fail(why, "it names other descriptors than it sends");
	for (const cJSON *name = names->child; name; name = name->next, place++) {
		if (!cJSON_IsString(name) || strcmp(name->valuestring, LISTENER) != 0)
			continue;
		document->listener = place;
		found++;
	}
	return found == 1 ? 0 : fail(why, "it does not send one " LISTENER);
}

/* crun 1.8 says 0 of what it executes in a container that runs. */
static int read_pid(struct agent_document *document, const cJSON *pid, const char **why)
{
	if (!cJSON_IsNumber(pid) || pid->valuedouble < 0 || pid->valuedouble > INT32_MAX ||
	    pid->valuedouble != (double)(pid_t)pid->valuedouble)
		return fail(why, "its pid is not a process's");
	document->pid = (pid_t)pid->valuedouble;
	return 0;
}

static bool has_tunnel(const struct agent_document *document, const char *id)
{
	for (size_t i = 0; i < document->tunnel_count; i++)
		if (strcmp(document->tunnels[i], id) == 0)
			return true;
	return false;
}

static int add_tunnel(struct agent_document *document, const char *word, size_t len,
		      const char **why)
{
	uint8_t bytes[UUID_BYTES];
	char text[UUID_TEXT + 1], id[UUID_TEXT + 1];
	if (len != UUID_TEXT)
		return fail(why, "its listenerMetadata has a word that is not a tunnel's id");
	memcpy(text, word, UUID_TEXT);
	text[UUID_TEXT] = '\0';
	if (uuid_parse(text, bytes) < 0)
		return fail(why, "its listenerMetadata has a word that is not a tunnel's id");
	uuid_format(bytes, id);
	if (has_tunnel(document, id))
		return 0;
	if (document->tunnel_count == AGENT_TUNNELS_MAX)
		return fail(why, "its listenerMetadata has too many tunnels");
	memcpy(document->tunnels[document->tunnel_count++], id, sizeof(id));
	return 0;
}

/* Ids of tunnels, with commas or blanks between them. */
static int read_tunnels(struct agent_document *document, const cJSON *metadata, const char **why)
{
	static const char between[] = ", ";
	const char *at = cJSON_IsString(metadata) ? metadata->valuestring : "";
	for (at += strspn(at, between); *at; at += strspn(at, between)) {
		size_t len = strcspn(at, between);
		if (add_tunnel(document, at, len, why) < 0)
			return -EINVAL;
		at += len;
	}
	return document->tunnel_count ? 0 : fail(why, "its listenerMetadata names no tunnel");
}

static void read_container(struct agent_document *document, const cJSON *id)
{
	static const char good[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-+";
	const char *text = cJSON_IsString(id) ? id->valuestring : "";
	int len = (int)strspn(text, good);
	snprintf(document->container, sizeof(document->container), "%.*s", len ? len : 9,
		 len ? text : "(unnamed)");
}

static int read_all(struct agent_document *document, const cJSON *json, size_t descriptors,
		    const char **why)
{
	read_container(document, member(member(json, "state"), "id"));
	if (read_descriptors(document, member(json, "fds"), descriptors, why) < 0 ||
	    read_pid(document, member(json, "pid"), why) < 0)
		return -EINVAL;
	return read_tunnels(document, member(json, "metadata"), why);
}

/* cJSON ends a text there. */
static bool has_null(const char *text, size_t len)
{
	static const char null[] = "\\u0000";
	const size_t size = strlen(null);
	for (size_t i = 0; i < len; i += text[i] == '\\' ? 2 : 1)
		if (len - i >= size && memcmp(text + i, null, size) == 0)
			return true;
	return memchr(text, '\0', len) != NULL;
}

int agent_document_read(struct agent_document *document, const char *text, size_t len,
			size_t descriptors, const char **why)
{
	*document = (struct agent_document){0};
	cJSON *json = has_null(text, len) ? NULL : cJSON_ParseWithLength(text, len);
	int err = cJSON_IsObject(json) ? read_all(document, json, descriptors, why)
				       : fail(why, "it is not a JSON object");
	cJSON_Delete(json);
	return err;
}
