#ifndef GS_DOCTOR_TUNNEL_H
#define GS_DOCTOR_TUNNEL_H

/* What the checks of one tunnel share. */

#include "cli/doctor/doctor.h"
#include "cli/doctor/probe.h"

struct visit {
	struct doctor *doctor;
	struct environment environment;
	struct conf_view view;
	bool listener;
	char *again; /* "initialize --force " and options for the same contacts */
	bool online; /* Transfer answers */
	bool usable; /* the tunnel is active, or we do not know */
};

/* The addresses of a contact: how many; 0: none, which is reported. what: the check's name. */
size_t doctor_resolve(struct visit *visit, const struct contact *contact, const char *what,
		      long long end, struct probe_addresses *list);

/* The tunnel as Transfer has it, and its contacts. The initiator's contact is taken from there, as
 * a launch would do. */
void doctor_transfer(struct visit *visit);

/* The names that lead into the tunnel, as a program in it resolves them. */
void doctor_names(struct visit *visit);

/* The access point, and what lies behind it. */
void doctor_access_point(struct visit *visit);

/* The newest event of the tunnel, if it is an error, in words; NULL: none, or it cannot be
 * found out. Free it. */
char *doctor_last_error(struct visit *visit);

/* The program that listens, or the port that waits for it. */
void doctor_listener(struct visit *visit);

#endif
