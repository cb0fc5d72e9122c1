#ifndef GS_DOCTOR_H
#define GS_DOCTOR_H

/* globus-streams doctor: what a support desk would ask, each answer found by a test. */

#include <stdio.h>

#include "cli/command/environment.h"
#include "cli/service/cli.h"
#include "cli/service/transfer.h"

#define DOCTOR_SERVICE_S 10 /* for one question to a service, with its retries */
#define DOCTOR_REACH_S   5  /* for a name, a connection and its handshake, all told */

enum verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_FAILED };

struct doctor {
	struct cli *cli;
	cJSON *report; /* with --format json: an array */
	FILE *lines;   /* with --report: the lines once more; else NULL */
	bool inside;   /* this runs under globus-streams-run */
	unsigned warnings, failures;
};

/* One line of the report. what: a few words; the rest: what was found, and what to do. */
__attribute__((format(printf, 4, 5))) void doctor_say(struct doctor *doctor, enum verdict verdict,
						      const char *what, const char *format, ...);

/* The same with the message of cli->failure, which is cleared. */
void doctor_say_failure(struct doctor *doctor, enum verdict verdict, const char *what);

/* Before a question to a service: it may take DOCTOR_SERVICE_S. */
void doctor_ask(const char *what);

/* This machine: kernel, rights, shim. */
void doctor_machine(struct doctor *doctor);

/* Where this process runs: in a launch, in a container, which programs are first in PATH. */
void doctor_place(struct doctor *doctor);

/* The container or sandbox, and Slurm's job, that this runs in: part of doctor_place(). */
void doctor_container(struct doctor *doctor);
void doctor_job(struct doctor *doctor);

/* Is this process in another namespace than the machine's first one? name: user, pid, ipc, uts or
 * net. False where that cannot be known; before Linux 6.18 true of every net. */
bool doctor_has_own_namespace(const char *name);

/* The launcher: part of doctor_machine(). */
void doctor_launcher(struct doctor *doctor);

/* Run this program with words (ended by NULL) through the launcher, with a conf file. 0, its exit
 * status or -errno; *said: a line that came with it, to be freed, or NULL; out: where its stdout
 * goes, -1: nowhere. */
int doctor_try_launcher(const char *base, const char *id, const char *const *words, int out,
			char **said);

/* Resolve names as any program does, and print a line for each: the name and its first address, or
 * "-" and why there is none. What doctor runs through the launcher. The exit status. */
int doctor_print_addresses(char *const *names);

/* The login, whether Transfer answers, and its clock. False: it does not answer. */
bool doctor_services(struct doctor *doctor);

/* The proxy for a service's URL, if there is one. False: requests do not get through it. */
bool doctor_proxy(struct doctor *doctor, const char *url);

/* One tunnel's environment, from its conf file to the program that listens. online: Transfer
 * answers. */
void doctor_tunnel(struct doctor *doctor, const char *base_dir, const char *id, bool online);

/* The file for a ticket: make it, before anything is tested; it must not exist. A descriptor, or -1
 * with cli->failure. */
int doctor_report_open(struct doctor *doctor, const char *path);

/* Write it: the lines, then facts about the machine and the conf of the tunnel (id NULL: none),
 * without secrets. 0, or -1 with cli->failure. */
int doctor_report_write(struct doctor *doctor, int fd, const char *path, const char *lines,
			const char *base_dir, const char *id);

#endif
