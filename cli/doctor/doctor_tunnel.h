#ifndef GS_DOCTOR_TUNNEL_H
#define GS_DOCTOR_TUNNEL_H

/* What the checks of one tunnel share. */

#include "cli/doctor/doctor.h"

#define DOCTOR_CONNECT_S 5

struct addrinfo;

struct visit {
	struct doctor *doctor;
	struct environment environment;
	struct conf_view view;
	bool listener;
	bool usable; /* the tunnel is active, or we do not know */
};

/* The addresses of a contact, to be freed; NULL: none, which is reported. what: the check's
 * name. */
struct addrinfo *doctor_resolve(struct visit *visit, const struct contact *contact,
				const char *what);

/* The program that listens, or the port that waits for it. */
void doctor_listener(struct visit *visit);

#endif
