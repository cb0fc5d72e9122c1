#ifndef GS_NAMES_H
#define GS_NAMES_H

/* Host names that lead into tunnels, and their virtual addresses: a number for each name, derived
 * from it by hash so that it is the same in every launch, as an address in 198.18.0.0/15 (RFC 2544)
 * and in fd47:5347:4c53::/48. Lookups get one address, in the family of the contact, so that no
 * program tries a second one in vain; a connect to either is recognised. */

#include "protocol/control.h"
#include "supervisor/base/state.h"

/* Let host:port lead to tunnel. 0; -ENOSPC; -EDOM: it leads to another one. */
int names_add(struct state *state, const char *host, uint16_t port, uint32_t tunnel,
	      bool is_globus);

/* The name, or NONE. host in any case, with or without the closing dot. */
uint32_t names_find(const struct state *state, const char *host);

/* In what follows, reach: of the program that asks. What leads only into tunnels that it may not
 * use is not there for it. */

/* The name that has this virtual address, or NONE. */
uint32_t names_by_address(const struct state *state, const struct reach *reach,
			  const union address *address);

/* Is the "name" an address that was mapped in place of one? */
bool names_is_number(const struct name *name);

/* Could it be one, of whatever name? */
bool names_is_virtual(const union address *address);

/* The tunnel that port of a name leads to, or NONE. */
uint32_t names_route(const struct name *name, const struct reach *reach, uint16_t port);

/* Does any port of a name lead to that tunnel? */
bool names_leads(const struct name *name, uint32_t tunnel);

/* The tunnel onto which this very address and port were mapped in place of a name, and the "name";
 * NONE. */
uint32_t names_by_number(const struct state *state, const struct reach *reach,
			 const union address *address, uint32_t *name);

/* The address that is told for a name. */
union address names_address(const struct state *state, uint32_t name);

/* Answer the shim's question, in place. */
void names_answer(const struct state *state, const struct reach *reach, struct question *question);

/* At the end of each line of ours in a copy of a hosts file, so that it is known as ours where a
 * program writes it elsewhere. */
#define NAMES_MARK " # globus-streams-run"

/* Write the lines of a hosts file for all names to fd: 0 or -errno. */
int names_write_hosts(const struct state *state, const struct reach *reach, int fd);

#endif
