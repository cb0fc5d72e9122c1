#ifndef GS_TESTS_SERVICES_H
#define GS_TESTS_SERVICES_H

/*
 * The services as a test has them: in libcurl's place stands a function that gives each request the
 * answer of a table, so that a whole command of globus-streams runs in this process, some thousand
 * times a second. Sleeps are counted and not slept. What goes over a real connection is the
 * business of tests/programs.
 */

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

#define TUNNEL_ID    "f0f477d8-99cc-4cef-904f-f82843b965b9"
#define INITIATOR_AP "7201b622-9f6f-4bbd-9507-754981082b09"
#define LISTENER_AP  "3f0d4e54-23ab-4d94-88a6-d5a403a76f27"
#define ENDPOINT_ID  "bed927cf-f949-4490-9462-39df742cd1a8"
#define SECRET_ID    "2ab0ff55-3800-4ca7-bf22-0049ddf1acc6"

/* All of them are there. */
#define BASE          "http://127.0.0.1:9"
#define CLIENT_ID     "9a215035-5073-4f83-a241-42d71069e4c5"
#define TRANSFER_NAME "transfer.api.globus.org"
#define TRANSFER_ALL  "urn:globus:auth:scope:" TRANSFER_NAME ":all"
#define MANAGE        "urn:globus:auth:scope:" ENDPOINT_ID ":manage_collections"

/* What a service answers, or does instead. */
struct reply {
	long status;
	const char *body;
	size_t len;
	CURLcode fault;   /* not CURLE_OK: no answer, but this */
	long retry_after; /* seconds; 0: not said */
};

/* One kind of request, and the answer that the gateway in contrib/ was seen to give. */
struct route {
	const char *method, *path; /* the path's beginning, without a query */
	struct reply reply;
};

extern const struct route routes[];
extern const size_t routes_count;

/* Give this request another answer, that many times (-1: always), beginning with the first. */
void services_answer(const struct route *route, const struct reply *reply, int times);

/* All as usual again; nothing asked yet. */
void services_reset(void);

/* The route with that method and path. */
const struct route *services_route(const char *method, const char *path);

/* How often it was asked since the reset, by this process and those that it forked. */
int services_asked(const struct route *route);

/* Milliseconds slept since the reset. */
long services_slept(void);

/* What time() says from now on; 0: the truth. */
void services_set_clock(long long seconds);

/* How a run ended. Texts stay until the next run. */
struct ended {
	int status;
	const char *out, *err;
};

/* Run globus-streams with these words (NULL after the last); input: what it reads, or NULL. */
struct ended services_run(const char *const *words, const char *input);

/* What is in the token cache at first. */
enum tokens {
	NO_TOKENS,
	CLIENT_TOKENS,  /* of client credentials */
	EXPIRED_TOKENS, /* of client credentials */
	NO_LOGIN,       /* none, and no client credentials in the environment */
	LOGIN,          /* a user's */
	EXPIRED_LOGIN,  /* which can be renewed */
};

/* The folder of the conf files: made empty, but for these tokens. */
void services_folder(enum tokens tokens);

/* "name content …" of every file in the folder but locks. */
const char *services_files(void);

/* Leave out those whose names begin with a dot, too. */
void services_hide(bool hidden);

const char *services_path(const char *name); /* in the folder */

#endif
