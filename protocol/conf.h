#ifndef GS_CONF_H
#define GS_CONF_H

/*
 * The conf file of a tunnel, globus-streams.conf(5): lines of key=value, split at the first '='.
 * Unknown keys are kept, lines without '=' ignored, an empty value means unset. Pure code: cli/
 * reads and writes the file.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/contact.h"
#include "protocol/lan_auth.h"

#define CONF_SIZE_MAX       (64 * 1024)
#define CONF_MAPPED_MAX     16 /* host names mapped onto one tunnel */
#define CONF_FAKE_PORT_LOW  1000
#define CONF_FAKE_PORT_HIGH 5000

#define CONF_LANKEY           "lankey"
#define CONF_LANKEY_ID        "lankey_id"
#define CONF_CONTACT          "connector_contact_string"
#define CONF_UPDATE_TIME      "update_time"
#define CONF_CONTACT_TTL      "connector_contact_string_ttl"
#define CONF_ENDPOINT_ID      "endpoint_id"
#define CONF_FAKE_PORT        "fake_port"
#define CONF_EXPIRATION       "tunnel_expiration_time"
#define CONF_LISTENER_CONTACT "listener_contact_string"
#define CONF_GLOBUS_CONTACT   "globus_contact"
#define CONF_LAN_AUTH         "lan_auth"

struct conf_entry {
	char *key, *value;
};

/* The file as it stands, in its order. Owned: conf_finish(). Starts as {0}. */
struct conf {
	struct conf_entry *entries;
	size_t count;
};

/* Parse text (len bytes, need not end in NUL). 0; -EINVAL: a NUL byte or a control character, so
 * not a conf file; -EFBIG: longer than CONF_SIZE_MAX; -ENOMEM. On error conf is left empty. Of a
 * key that stands twice, the last counts. A contact of "None:None" is read as empty. */
int conf_parse(struct conf *conf, const char *text, size_t len);

/* Wipe (the secret is in there) and free. */
void conf_finish(struct conf *conf);

/* The value, or NULL when unset or empty; it belongs to conf. */
const char *conf_get(const struct conf *conf, const char *key);

/* Whether the key is there, be it empty. */
bool conf_has(const struct conf *conf, const char *key);

/* Set or, with NULL, unset. 0; -EINVAL: a key or value that the format cannot hold (a control
 * character, '=' or spaces in the key); -ENOMEM. */
int conf_set(struct conf *conf, const char *key, const char *value);

/* The file's text: the known keys in their order (the eight that Globus's own CLI has always, empty
 * where they are unset; ours where they are set), then the others. Free with conf_free_text(),
 * since it holds the secret. NULL: no memory. */
char *conf_format(const struct conf *conf, size_t *len);
void conf_free_text(char *text, size_t len);

/* What the values say, checked. Numbers that are unset are 0. */
struct conf_view {
	bool secured; /* lankey is set and lan_auth is not "none" */
	uint8_t key[LAN_AUTH_KEY_MAX];
	size_t key_len;
	uint8_t key_id[UUID_BYTES];
	struct contact contact;  /* connector_contact_string; port 0: none yet */
	struct contact listener; /* listener_contact_string; port 0: this is an initiator */
	struct contact mapped[CONF_MAPPED_MAX];
	size_t mapped_count;
	int64_t update_time, ttl, expiration; /* epoch s, s, epoch s */
	uint16_t fake_port;
};

/* Check every value that a launch needs. 0, or -EINVAL with *key naming the entry at fault (static)
 * and *why in a few words (static). view holds the secret: wipe it with conf_view_wipe(). */
int conf_view(const struct conf *conf, struct conf_view *view, const char **key, const char **why);
/* A view that came from another process: are all its lengths and texts within bounds? */
bool conf_view_whole(const struct conf_view *view);

void conf_view_wipe(struct conf_view *view);

#endif
