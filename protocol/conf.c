#include "protocol/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const known_keys[] = {
	CONF_LANKEY,           CONF_LANKEY_ID,      CONF_CONTACT,   CONF_UPDATE_TIME,
	CONF_CONTACT_TTL,      CONF_ENDPOINT_ID,    CONF_FAKE_PORT, CONF_EXPIRATION,
	CONF_LISTENER_CONTACT, CONF_GLOBUS_CONTACT, CONF_LAN_AUTH,
};
#define KNOWN  (sizeof(known_keys) / sizeof(*known_keys))
#define ALWAYS 8 /* of them are written even if they are not set, as Globus's own CLI does */

static void free_wiped(char *text)
{
	if (text)
		conf_free_text(text, strlen(text));
}

void conf_free_text(char *text, size_t len)
{
	if (text)
		explicit_bzero(text, len);
	free(text);
}

static void entry_finish(struct conf_entry *entry)
{
	free(entry->key);
	free_wiped(entry->value);
}

void conf_finish(struct conf *conf)
{
	for (size_t i = 0; i < conf->count; i++)
		entry_finish(&conf->entries[i]);
	free(conf->entries);
	*conf = (struct conf){0};
}

static struct conf_entry *find(const struct conf *conf, const char *key)
{
	for (size_t i = 0; i < conf->count; i++)
		if (strcmp(conf->entries[i].key, key) == 0)
			return &conf->entries[i];
	return NULL;
}

const char *conf_get(const struct conf *conf, const char *key)
{
	const struct conf_entry *entry = find(conf, key);
	return entry && entry->value[0] ? entry->value : NULL;
}

bool conf_has(const struct conf *conf, const char *key)
{
	return find(conf, key) != NULL;
}

static int append(struct conf *conf, const char *key, const char *value)
{
	struct conf_entry *entries =
		reallocarray(conf->entries, conf->count + 1, sizeof(*conf->entries));
	if (!entries)
		return -ENOMEM;
	conf->entries = entries;
	struct conf_entry entry = {strdup(key), strdup(value)};
	if (!entry.key || !entry.value) {
		entry_finish(&entry);
		return -ENOMEM;
	}
	entries[conf->count++] = entry;
	return 0;
}

static bool clean(const char *text)
{
	for (; *text; text++)
		if (iscntrl((unsigned char)*text) && *text != '\t')
			return false;
	return true;
}

int conf_set(struct conf *conf, const char *key, const char *value)
{
	struct conf_entry *entry = find(conf, key);
	if (key[0] == '\0' || key[strcspn(key, "= \t")] != '\0' || !clean(key))
		return -EINVAL;
	if (value && (!clean(value) || isspace((unsigned char)value[0]) ||
		      (value[0] && isspace((unsigned char)value[strlen(value) - 1]))))
		return -EINVAL;
	if (!value) {
		if (entry) {
			size_t after = conf->count - (size_t)(entry - conf->entries) - 1;
			entry_finish(entry);
			memmove(entry, entry + 1, after * sizeof(*entry));
			conf->count--;
		}
		return 0;
	}
	if (!entry)
		return append(conf, key, value);
	char *copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free_wiped(entry->value);
	entry->value = copy;
	return 0;
}

/* Cut white space off both ends, in place. */
static char *trim(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	for (size_t len = strlen(text); len > 0 && isspace((unsigned char)text[len - 1]); len--)
		text[len - 1] = '\0';
	return text;
}

static int parse_line(struct conf *conf, char *line)
{
	char *equals = strchr(line, '=');
	if (!equals)
		return 0;
	*equals = '\0';
	char *key = trim(line), *value = trim(equals + 1);
	if (key[0] == '\0' || key[strcspn(key, " \t")] != '\0')
		return 0; /* not a key that anything could ask for */
	if (strcmp(key, CONF_CONTACT) == 0 && strcmp(value, "None:None") == 0)
		value += strlen(value); /* how Globus's own CLI writes that it is not known */
	return conf_set(conf, key, value);
}

static int parse_text(struct conf *conf, char *text)
{
	char *next = text;
	for (char *line; (line = strsep(&next, "\n"));) {
		int err = parse_line(conf, line);
		if (err < 0)
			return err;
	}
	return 0;
}

int conf_parse(struct conf *conf, const char *text, size_t len)
{
	*conf = (struct conf){0};
	if (len > CONF_SIZE_MAX)
		return -EFBIG;
	for (size_t i = 0; i < len; i++)
		if (iscntrl((unsigned char)text[i]) && !isspace((unsigned char)text[i]))
			return -EINVAL;
	char *copy = strndup(text, len);
	if (!copy)
		return -ENOMEM;
	int err = parse_text(conf, copy);
	conf_free_text(copy, len);
	if (err < 0)
		conf_finish(conf);
	return err;
}

static bool is_known(const char *key)
{
	for (size_t i = 0; i < KNOWN; i++)
		if (strcmp(known_keys[i], key) == 0)
			return true;
	return false;
}

static char *put(char *at, const char *key, const char *value)
{
	at = stpcpy(at, key);
	*at++ = '=';
	at = stpcpy(at, value);
	*at++ = '\n';
	return at;
}

char *conf_format(const struct conf *conf, size_t *len)
{
	size_t size = 1;
	for (size_t i = 0; i < ALWAYS; i++)
		size += strlen(known_keys[i]) + 2;
	for (size_t i = 0; i < conf->count; i++)
		size += strlen(conf->entries[i].key) + strlen(conf->entries[i].value) + 2;
	char *text = malloc(size), *at = text;
	if (!text)
		return NULL;
	for (size_t i = 0; i < KNOWN; i++) {
		const struct conf_entry *entry = find(conf, known_keys[i]);
		if (entry || i < ALWAYS)
			at = put(at, known_keys[i], entry ? entry->value : "");
	}
	for (size_t i = 0; i < conf->count; i++)
		if (!is_known(conf->entries[i].key))
			at = put(at, conf->entries[i].key, conf->entries[i].value);
	*at = '\0';
	*len = (size_t)(at - text);
	return text;
}

/* --- the values, checked --- */

static int view_number(const struct conf *conf, const char *key, int64_t *number)
{
	const char *text = conf_get(conf, key);
	char *end;
	*number = 0;
	if (!text)
		return 0;
	errno = 0;
	double value = strtod(text, &end); /* the cli writes times as floats at some places */
	if (errno || *end || end == text || !(value >= 0 && value < 1e15))
		return -EINVAL;
	*number = (int64_t)value;
	return 0;
}

static int view_contact(const struct conf *conf, const char *key, struct contact *contact)
{
	const char *text = conf_get(conf, key);
	contact->port = 0;
	return text ? contact_parse(text, contact) : 0;
}

static int view_mapped(const struct conf *conf, struct conf_view *view)
{
	const char *text = conf_get(conf, CONF_GLOBUS_CONTACT);
	char *copy = strdup(text ? text : ""), *next = copy;
	int err = copy ? 0 : -ENOMEM;
	for (char *item; err == 0 && (item = strsep(&next, ","));) {
		item = trim(item);
		if (*item == '\0')
			continue;
		if (view->mapped_count == CONF_MAPPED_MAX)
			err = -EINVAL;
		else
			err = contact_parse(item, &view->mapped[view->mapped_count++]);
	}
	free(copy);
	return err;
}

static int view_secret(const struct conf *conf, struct conf_view *view)
{
	const char *key = conf_get(conf, CONF_LANKEY), *id = conf_get(conf, CONF_LANKEY_ID);
	const char *format = conf_get(conf, CONF_LAN_AUTH);
	if (format && strcmp(format, "none") == 0)
		return 0;
	/* A file that demands authentication does without it for nothing that it lacks. */
	if (!key)
		return format ? -ENOKEY : 0;
	view->key_len = strlen(key);
	if (view->key_len > sizeof(view->key) || !id || uuid_parse(id, view->key_id) < 0)
		return -EINVAL;
	memcpy(view->key, key, view->key_len);
	view->secured = true;
	return 0;
}

static const char *explain_contact(int err, const char *otherwise)
{
	return err == -EDOM ? "has a host that looks like an IPv4 address, but is none" : otherwise;
}

static int view_contacts(const struct conf *conf, struct conf_view *view, const char **key,
			 const char **why)
{
	*key = CONF_CONTACT;
	int err = view_contact(conf, CONF_CONTACT, &view->contact);
	if (!err) {
		*key = CONF_LISTENER_CONTACT;
		err = view_contact(conf, CONF_LISTENER_CONTACT, &view->listener);
	}
	*why = explain_contact(err, "is not HOST:PORT");
	if (!err) {
		*key = CONF_GLOBUS_CONTACT;
		err = view_mapped(conf, view);
		*why = explain_contact(err, "is not a list of HOST:PORT (at most 16)");
	}
	return err;
}

static int view_all(const struct conf *conf, struct conf_view *view, const char **key,
		    const char **why)
{
	const char *format = conf_get(conf, CONF_LAN_AUTH);
	int64_t port;

	*key = CONF_LAN_AUTH, *why = "is neither v1 nor none";
	if (format && strcmp(format, "v1") != 0 && strcmp(format, "none") != 0)
		return -EINVAL;
	*key = CONF_LANKEY_ID, *why = "is missing or no UUID, or lankey is too long";
	int err = view_secret(conf, view);
	if (err == -ENOKEY)
		*key = CONF_LAN_AUTH, *why = "is v1, but lankey is missing or empty";
	if (err < 0)
		return -EINVAL;
	if (view_contacts(conf, view, key, why) < 0)
		return -EINVAL;
	*key = CONF_UPDATE_TIME, *why = "is not a number";
	if (view_number(conf, CONF_UPDATE_TIME, &view->update_time) < 0)
		return -EINVAL;
	*key = CONF_CONTACT_TTL;
	if (view_number(conf, CONF_CONTACT_TTL, &view->ttl) < 0)
		return -EINVAL;
	*key = CONF_EXPIRATION;
	if (view_number(conf, CONF_EXPIRATION, &view->expiration) < 0)
		return -EINVAL;
	*key = CONF_FAKE_PORT, *why = "is not a port";
	if (view_number(conf, CONF_FAKE_PORT, &port) < 0 || port > UINT16_MAX)
		return -EINVAL;
	view->fake_port = (uint16_t)port;
	*why = "is missing: the file is not whole";
	if (!view->fake_port && !view->contact.port && !view->listener.port)
		return -EINVAL;
	*key = *why = NULL;
	return 0;
}

int conf_view(const struct conf *conf, struct conf_view *view, const char **key, const char **why)
{
	*view = (struct conf_view){0};
	int err = view_all(conf, view, key, why);
	if (err < 0)
		conf_view_wipe(view);
	return err;
}

void conf_view_wipe(struct conf_view *view)
{
	explicit_bzero(view, sizeof(*view));
}

static bool contact_whole(const struct contact *contact)
{
	struct contact again;
	char text[CONTACT_TEXT_MAX];
	if (contact->port == 0)
		return true; /* none */
	if (!memchr(contact->host, '\0', sizeof(contact->host)))
		return false;
	contact_format(contact, text);
	return contact_parse(text, &again) == 0 && strcmp(again.host, contact->host) == 0;
}

bool conf_view_whole(const struct conf_view *view)
{
	uint8_t secured; /* looked at as what it is in memory: not every byte is a bool */
	memcpy(&secured, &view->secured, sizeof(secured));
	if (secured > 1 || view->key_len > sizeof(view->key) ||
	    view->mapped_count > CONF_MAPPED_MAX || !contact_whole(&view->contact) ||
	    !contact_whole(&view->listener))
		return false;
	for (size_t i = 0; i < view->mapped_count; i++)
		if (view->mapped[i].port == 0 || !contact_whole(&view->mapped[i]))
			return false;
	return true;
}
