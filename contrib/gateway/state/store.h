#ifndef GW_STORE_H
#define GW_STORE_H

/*
 * What the gateway knows, in memory: who may log in, the access points, the tunnels with their LAN
 * secrets and events, the tokens handed out. store_json.h writes it to a file and reads it back;
 * nothing here does any I/O. What is found belongs to the store.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "contrib/gateway/base/ids.h"
#include "protocol/contact.h"

#define STORE_TUNNELS_MAX   2000
#define STORE_TOKENS_MAX    4000 /* beyond that the oldest goes */
#define STORE_SECRETS_MAX   64   /* of one tunnel */
#define STORE_EVENTS_MAX    100  /* of one tunnel; beyond that the oldest goes */
#define EVENT_DETAILS       96   /* bytes */
#define STORE_APS           2
#define RESOURCE_SERVER_MAX 63
#define LABEL_MAX           255 /* bytes */
#define SCOPE_MAX           511 /* bytes of one resource server's scopes */

enum side { SIDE_INITIATOR, SIDE_LISTENER, SIDES };

enum tunnel_state { TUNNEL_AWAITING_LISTENER, TUNNEL_ACTIVE, TUNNEL_STOPPED };

enum event_code {
	EVENT_STARTED,
	EVENT_ACTIVE,
	EVENT_STOPPED,
	EVENT_LISTENER_FAILED,
	EVENT_LISTENER_REACHED,
};

struct identity {
	uuid_text id;
	char username[128];
	char name[64];
};

/* A stream access point and the endpoint that hosts it. */
struct access_point {
	uuid_text id, endpoint;
	char display_name[64];
};

/* A LAN secret of one tunnel at one access point. */
struct secret {
	uuid_text id, access_point, owner;
	char key[SECRET_TEXT + 1];
	int64_t expires; /* epoch s */
	struct secret *next;
};

struct event {
	int64_t id, time; /* time: epoch s */
	enum event_code code;
	char details[EVENT_DETAILS];
	struct event *next;
};

struct tunnel {
	uuid_text id, submission_id, owner;
	char label[LABEL_MAX + 1];
	bool labelled; /* else its label is null */
	bool restartable;
	int64_t created, lifetime_mins; /* created: epoch s */
	uuid_text access_point[SIDES];
	enum tunnel_state state;
	struct contact listener; /* port 0: none yet */
	uint16_t initiator_port; /* of the LAN port, kept over a restart; 0: none */
	bool secured[SIDES];     /* a secret was made for that side, once */
	struct secret *secrets;  /* the newest first */
	struct event *events;    /* the oldest first */
	struct lan_port *lan;    /* while active; see tunnel_life.h */
};

enum token_kind { TOKEN_ACCESS, TOKEN_REFRESH };

/* A token that was handed out: known by its digest only. */
struct token {
	uint8_t digest[DIGEST_BYTES];
	enum token_kind kind;
	uuid_text identity, client;
	char resource_server[RESOURCE_SERVER_MAX + 1];
	char scope[SCOPE_MAX + 1]; /* separated by spaces */
	int64_t expires;           /* epoch s */
	struct token *next;
};

struct store {
	uint16_t http_port; /* of the last run; 0: none */
	struct {
		struct identity identity; /* id: the client id */
		char secret[SECRET_TEXT + 1];
	} client;
	struct identity user; /* who logs in by /v2/oauth2/authorize */
	struct access_point access_points[STORE_APS];
	struct tunnel **tunnels; /* in the order of their creation */
	size_t tunnel_count;
	struct token *tokens; /* the newest first */
	int64_t next_event;
	bool changed; /* since it was last written */
};

/* A store as it is on the first start: a client, a user, two access points. */
void store_init(struct store *store);
void store_finish(struct store *store);

/* Seconds since the epoch. */
int64_t epoch_now(void);

const struct access_point *store_access_point(const struct store *store, const char *id);
const struct access_point *store_access_point_of_endpoint(const struct store *store,
							  const char *endpoint);
const struct identity *store_identity(const struct store *store, const char *id);

struct tunnel *store_tunnel(const struct store *store, const char *id);
struct tunnel *store_tunnel_by_submission(const struct store *store, const char *owner,
					  const char *submission_id);

/* A new tunnel with an id, known to the store; NULL: the limit, or no memory. */
struct tunnel *store_add_tunnel(struct store *store);
void store_remove_tunnel(struct store *store, struct tunnel *tunnel);

int64_t tunnel_expires(const struct tunnel *tunnel); /* epoch s */
const char *tunnel_state_name(const struct tunnel *tunnel);

/* Note that something happened to the tunnel. Failing for want of memory is no error. */
void tunnel_add_event(struct store *store, struct tunnel *tunnel, enum event_code code,
		      int64_t time, const char *details);

/* Note how the last call of the listener ended. Only a change makes an event. */
void tunnel_listener_failed(struct store *store, struct tunnel *tunnel, const char *what,
			    const char *why);
void tunnel_listener_reached(struct store *store, struct tunnel *tunnel);

/* A new secret, first in the tunnel's list; NULL: the limit, or no memory. Those that expired go
 * first. */
struct secret *tunnel_add_secret(struct store *store, struct tunnel *tunnel,
				 const char *access_point);

/* The newest secret at that access point that has not expired; NULL: none. */
const struct secret *tunnel_newest_secret(const struct tunnel *tunnel, const char *access_point);

/* The secret with that id, at that access point, not expired; NULL: none. */
const struct secret *tunnel_secret(const struct tunnel *tunnel, const char *access_point,
				   const char *id);

/* The secret with that id at that access point of any tunnel, expired or not. */
struct secret *store_secret(const struct store *store, const char *access_point, const char *id,
			    struct tunnel **tunnel);
void tunnel_remove_secret(struct store *store, struct tunnel *tunnel, struct secret *secret);

/* A new token, first in the list; its digest is set from text. NULL: no memory. */
struct token *store_add_token(struct store *store, const char *text);

/* The token by its text, when of that kind and not expired; NULL: none. */
struct token *store_token(const struct store *store, const char *text, enum token_kind kind);
void store_remove_token(struct store *store, struct token *token);

#endif
