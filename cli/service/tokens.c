#include "cli/service/tokens.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/base/cleanup.h"
#include "cli/base/file.h"
#include "cli/base/patience.h"
#include "cli/base/profile.h"
#include "cli/base/say.h"
#include "cli/service/json.h"

#define FILE_NAME "tokens.json"
#define FILE_MAX  (1024 * 1024)
#define LOCK_MS   120000

struct entry {
	const char *server, *issuer, *client, *kind;
	struct token token;
};

static const struct json_field entry_fields[] = {
	{"resource_server", JSON_TEXT, true, offsetof(struct entry, server)},
	{"issuer", JSON_TEXT, true, offsetof(struct entry, issuer)},
	{"client_id", JSON_TEXT, true, offsetof(struct entry, client)},
	{"kind", JSON_TEXT, true, offsetof(struct entry, kind)},
	{"access_token", JSON_TEXT, true, offsetof(struct entry, token.access)},
	{"expires_at", JSON_INTEGER, true, offsetof(struct entry, token.expires)},
	{"refresh_token", JSON_TEXT, false, offsetof(struct entry, token.refresh)},
	{"scope", JSON_TEXT, false, offsetof(struct entry, token.scope)},
};

static int read_entry(const cJSON *item, struct entry *entry)
{
	const char *at;
	*entry = (struct entry){0};
	return json_read(item, entry_fields, sizeof(entry_fields) / sizeof(*entry_fields), entry,
			 &at);
}

static cJSON *parse(const char *path, const char *text, size_t len)
{
	cJSON *document = json_parse(text, len);
	cJSON *list = cJSON_DetachItemFromObjectCaseSensitive(document, "tokens");
	json_wipe(document);
	if (cJSON_IsArray(list))
		return list;
	static bool warned; /* the cache is read more than once per run */
	if (!warned)
		say_warning("%s is not a token cache; starting a new one", path);
	warned = true;
	json_wipe(list);
	return cJSON_CreateArray();
}

cJSON *tokens_load(const char *profile, struct failure *failure)
{
	cleanup_free char *path = profile_path(profile, FILE_NAME, NULL, failure);
	if (!path)
		return NULL;
	char *text = NULL;
	size_t len = 0;
	int err = file_read_private(path, FILE_MAX, &text, &len);
	if (err == -ENOENT || err == -ENOTDIR)
		return cJSON_CreateArray();
	if (err == -EPERM)
		failure_set(failure, STATUS_FAILED,
			    "%s holds your tokens, and other users own it or may read or write it; "
			    "restrict it with chmod 600, or remove it",
			    path);
	else if (err)
		failure_set(failure, STATUS_FAILED, "cannot read %s: %s", path, strerror(-err));
	if (err)
		return NULL;
	cJSON *list = parse(path, text, len);
	file_wipe(text, len);
	return list;
}

static bool is_of(const struct entry *entry, const char *issuer, const char *client, bool login)
{
	return strcmp(entry->issuer, issuer) == 0 && strcmp(entry->client, client) == 0 &&
	       strcmp(entry->kind, login ? "login" : "client") == 0;
}

static bool is_named(const struct entry *entry, const struct token_name *name)
{
	return strcmp(entry->server, name->server) == 0 &&
	       is_of(entry, name->issuer, name->client, name->login);
}

int tokens_find(const cJSON *list, const struct token_name *name, struct token *token)
{
	const cJSON *item;
	struct entry entry;
	cJSON_ArrayForEach(item, list)
	{
		if (read_entry(item, &entry) == 0 && is_named(&entry, name)) {
			*token = entry.token;
			return 0;
		}
	}
	return -1;
}

static void remove_item(cJSON *list, cJSON *item)
{
	json_wipe(cJSON_DetachItemViaPointer(list, item));
}

static void forget(cJSON *list, const struct token_name *name)
{
	cJSON *next;
	for (cJSON *item = list->child; item; item = next) {
		struct entry entry;
		next = item->next;
		bool known = read_entry(item, &entry) == 0;
		if (!known || is_named(&entry, name) ||
		    (!entry.token.refresh && entry.token.expires < time(NULL)))
			remove_item(list, item);
	}
}

int tokens_set(cJSON *list, const struct token_name *name, const struct token *token,
	       struct failure *failure)
{
	forget(list, name);
	cJSON *item = cJSON_CreateObject();
	bool made = item && cJSON_AddStringToObject(item, "resource_server", name->server) &&
		    cJSON_AddStringToObject(item, "issuer", name->issuer) &&
		    cJSON_AddStringToObject(item, "client_id", name->client) &&
		    cJSON_AddStringToObject(item, "kind", name->login ? "login" : "client") &&
		    cJSON_AddStringToObject(item, "access_token", token->access) &&
		    cJSON_AddNumberToObject(item, "expires_at", (double)token->expires);
	if (made && token->refresh)
		made = cJSON_AddStringToObject(item, "refresh_token", token->refresh);
	if (made && token->scope)
		made = cJSON_AddStringToObject(item, "scope", token->scope);
	if (made && cJSON_AddItemToArray(list, item))
		return 0;
	json_wipe(item);
	return failure_memory(failure);
}

cJSON *tokens_take(cJSON *list, const char *issuer, const char *client, bool login)
{
	cJSON *taken = cJSON_CreateArray(), *next;
	for (cJSON *item = list->child; item; item = next) {
		struct entry entry;
		next = item->next;
		if (read_entry(item, &entry) == 0 && is_of(&entry, issuer, client, login))
			cJSON_AddItemToArray(taken, cJSON_DetachItemViaPointer(list, item));
	}
	return taken;
}

static char *format(const cJSON *list)
{
	cJSON *document = cJSON_CreateObject();
	char *text = NULL;
	if (cJSON_AddNumberToObject(document, "version", 1) &&
	    cJSON_AddItemReferenceToObject(document, "tokens", (cJSON *)list))
		text = cJSON_Print(document);
	cJSON_Delete(document);
	return text;
}

int tokens_save(const char *profile, const cJSON *list, struct failure *failure)
{
	cleanup_free char *folder = NULL;
	cleanup_free char *path = profile_path(profile, FILE_NAME, &folder, failure);
	if (!path)
		return -1;
	char *text = format(list);
	if (!text)
		return failure_memory(failure);
	/* A cache too large to be read again must not replace a readable one. */
	int err = strlen(text) > FILE_MAX ? -EFBIG : file_make_folder(folder);
	if (!err) {
		file_sweep(path);
		err = file_replace(path, text, strlen(text));
	}
	file_wipe(text, strlen(text));
	if (err)
		return failure_set(failure, STATUS_FAILED, "cannot write %s: %s", path,
				   strerror(-err));
	return 0;
}

int tokens_lock(const char *profile, int *waited, struct failure *failure)
{
	cleanup_free char *folder = NULL;
	cleanup_free char *path = profile_path(profile, FILE_NAME ".lock", &folder, failure);
	if (!path)
		return -1;
	int fd = file_make_folder(folder);
	long long ms = patience_left_ms(LOCK_MS);
	*waited = 0;
	if (fd == 0)
		fd = file_lock(path, ms, say_lock_tick, waited);
	say_waiting(NULL);
	if (fd >= 0)
		return fd;
	if (fd == -EINTR)
		return patience_fail(failure, "");
	if (fd == -ETIMEDOUT)
		return failure_set(failure, STATUS_FAILED,
				   "another globus-streams has held the lock %s for %lld s; end "
				   "that process and try again",
				   path, ms / 1000);
	say_verbose("cannot lock the token cache: %s: %s; continuing without the lock", path,
		    strerror(-fd));
	fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	return fd < 0 ? failure_set(failure, STATUS_FAILED, "cannot open /dev/null: %s",
				    strerror(errno))
		      : fd;
}
