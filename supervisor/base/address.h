#ifndef GS_ADDRESS_H
#define GS_ADDRESS_H

#include "protocol/contact.h"
#include "supervisor/base/state.h"

#define ADDRESS_TEXT 64

socklen_t address_len(const union address *address);
uint16_t address_port(const union address *address); /* host order */
void address_set_port(union address *address, uint16_t port);

/* A socket address as a program gave it (len bytes at raw), canonical: v4-mapped becomes IPv4, flow
 * label and padding are cleared. 0; -EAFNOSUPPORT: of another family; -EINVAL: too short. */
int address_from(union address *address, const void *raw, size_t len);

/* The numeric host of a contact; -EINVAL: it is a name. */
int address_from_contact(union address *address, const struct contact *contact);

/* The same address for a socket of the given family: IPv4 becomes v4-mapped for AF_INET6; false: a
 * socket of that family cannot reach it. */
bool address_for_socket(union address *address, int family);

bool address_same(const union address *a, const union address *b); /* address and port */
bool address_is_any(const union address *address);
bool address_is_loopback(const union address *address);
void address_format(const union address *address, char text[ADDRESS_TEXT]);

#endif
