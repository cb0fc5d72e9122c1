#ifndef GS_DOCTOR_H
#define GS_DOCTOR_H

/* globus-streams doctor: what a support desk would ask, each answer found by a test. */

#include "cli/command/environment.h"
#include "cli/service/cli.h"
#include "cli/service/transfer.h"

enum verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAILED };

struct doctor {
	struct cli *cli;
	cJSON *report; /* with --format json: an array */
	unsigned warnings, failures;
};

/* One line of the report. what: a few words; the rest: what was found, and what to do. */
__attribute__((format(printf, 4, 5))) void doctor_say(struct doctor *doctor, enum verdict verdict,
						      const char *what, const char *format, ...);

/* The same with the message of cli->failure, which is cleared. */
void doctor_say_failure(struct doctor *doctor, enum verdict verdict, const char *what);

/* This machine: kernel, rights, shim. */
void doctor_machine(struct doctor *doctor);

/* The launcher: part of doctor_machine(). */
void doctor_launcher(struct doctor *doctor);

/* Run a command that ends at once through the launcher, with a conf file. 0, its exit status or
 * -errno; *said: a line that came with it, to be freed, or NULL. */
int doctor_try_launcher(const char *base, const char *id, char **said);

/* The full path of a file next to this program. Free it; NULL: it does not exist. */
char *doctor_beside_us(const char *relative);

/* The login, and whether Transfer answers. False: it does not. */
bool doctor_services(struct doctor *doctor);

/* One tunnel's environment, from its conf file to the program that listens. online: Transfer
 * answers. */
void doctor_tunnel(struct doctor *doctor, const char *base_dir, const char *id, bool online);

#endif
