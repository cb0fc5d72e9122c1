#ifndef GW_NET_H
#define GW_NET_H

/* Sockets and their addresses. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "protocol/contact.h"

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

#define ADDRESS_TEXT_MAX (INET6_ADDRSTRLEN + IF_NAME_MAX)
#define IF_NAME_MAX      16

/* A numeric IPv4 or IPv6 address (with %interface where it is link-local) and a port: 0, or -EINVAL
 * where text is neither. */
int address_parse(const char *text, uint16_t port, union address *address);

/* The address alone, as text; one that is IPv4 in IPv6 clothes is written as IPv4. */
void address_host(const union address *address, char text[ADDRESS_TEXT_MAX]);
uint16_t address_port(const union address *address);
void address_set_port(union address *address, uint16_t port);
socklen_t address_length(const union address *address);
bool address_is_wildcard(const union address *address);

/* The same as contact, for contact_format(). */
void address_contact(const union address *address, struct contact *contact);

/* A non-blocking socket that listens at the address, port 0 for any that is free; *port says which
 * it is. The descriptor or -errno. */
int net_listen(const union address *address, uint16_t *port);

/* The same, whatever the address's port, at any that is free but one (0: none). */
int net_listen_elsewhere(const union address *address, uint16_t avoid, uint16_t *port);

/* A non-blocking socket with TCP_NODELAY that is being connected: the descriptor or -errno. */
int net_connect(const union address *address);

/* What became of the connect: 0 or -errno. */
int net_connected(int fd);

/* TCP_NODELAY and SO_KEEPALIVE, as every data connection has them. */
void net_tune(int fd);

/* Close with a RST, so that the peer learns that something broke off. */
void net_reset(int fd);

/* Raise the limit of descriptors to the hard one; how many there may be. */
long net_raise_limit(void);

#endif
