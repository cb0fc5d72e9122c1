#ifndef GS_ENVIRONMENT_H
#define GS_ENVIRONMENT_H

/* The environment of one tunnel on this machine: its conf file and the lock that keeps writers of
 * it apart. Functions return 0, or -1 with cli->failure. */

#include <stdbool.h>

#include "cli/base/conf_file.h"
#include "cli/service/cli.h"

#define CONTACT_TTL_DEFAULT 10
#define CONTACT_TTL_MAX     31536000

struct environment {
	char id[37];
	char *base;
	char *option; /* "--base-dir DIR " for a command to print, or "" */
	struct conf conf;
	int lock;   /* -1: not held */
	int waited; /* another process had the lock at first */
};

/* Begin: the tunnel's id from the command line, the folder from --base-dir (or NULL). */
int environment_init(struct environment *environment, struct cli *cli, const char *base_dir,
		     const char *id);
void environment_finish(struct environment *environment);

/* Read the conf file (again). */
int environment_read(struct environment *environment, struct cli *cli);

/* The same, but the file may be missing or unusable: conf is empty then. Whether a file exists. */
bool environment_try(struct environment *environment);

/* Wait for the lock. If the folder is not writable, continue without it: a later write will
 * fail. */
int environment_lock(struct environment *environment, struct cli *cli);
void environment_unlock(struct environment *environment);

/* Before anything is changed elsewhere: can the conf file be written, or deleted? */
int environment_try_write(const struct environment *environment, struct cli *cli);
int environment_try_remove(const struct environment *environment, struct cli *cli);

/* Replace the conf file. */
int environment_write(struct environment *environment, struct cli *cli);

/* Remove the conf file, what a killed writer left of it, and the lock, which is held. */
int environment_remove(struct environment *environment, struct cli *cli);
void environment_remove_lock(struct environment *environment);

/* The ids of the tunnels that have a conf file in the folder, sorted. */
int environment_ids(struct cli *cli, const char *base_dir, char ***ids, size_t *count);
void environment_free_ids(char **ids, size_t count);

/* The conf without the secret, as a new object; and printed. */
struct cJSON *environment_json(const struct environment *environment);
void environment_print_json(const struct environment *environment);

/* When the tunnel ends, with the time left; NULL: it is not known. */
#define ENVIRONMENT_END_TEXT 80
const char *environment_end_text(const struct environment *environment,
				 char text[ENVIRONMENT_END_TEXT]);

/* Set a value, or with NULL unset it; or a number. */
int environment_set(struct environment *environment, struct cli *cli, const char *key,
		    const char *value);
int environment_set_number(struct environment *environment, struct cli *cli, const char *key,
			   long long value);

/* Which side a conf file is for. In one that initialize wrote, the listener's has a listener
 * contact, the initiator's an access point's contact or mapped hosts (an empty entry if not
 * known yet). In one from other programs, both may be missing. */
bool environment_is_listener(const struct environment *environment);
bool environment_is_initiator(const struct environment *environment);

/* Check every value that a launch needs, and report a wrong one. */
int environment_check(const struct environment *environment, struct cli *cli);

/* A number from the conf file; otherwise: the default, if it is missing or not valid. */
long long environment_number(const struct environment *environment, const char *key,
			     long long otherwise);

/* The port of the contact string, globus.<id>:PORT; if the conf file has none, the launcher's
 * default. */
unsigned environment_fake_port(const struct environment *environment);

/* Parse HOST:PORT from the command line; wrong usage if it is not. option: for the message. */
int environment_contact(struct cli *cli, const char *option, const char *text,
			struct contact *contact);

/* The same for a listener: the address must also be one to which others can connect. */
int environment_listener(struct cli *cli, const char *text, struct contact *contact);

/* Warn of an address that works only for an access point on this machine: whether it is one. */
bool environment_warn_loopback(const struct contact *contact);

/* The same, and of one that is not this machine's, where the listener is. */
void environment_warn_listener(const struct contact *contact);

#endif
