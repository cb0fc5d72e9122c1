#include "protocol/contact.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool host_character(char c)
{
	/* '_' stands in real names; ':' and '%' in IPv6 addresses */
	return isalnum((unsigned char)c) || strchr("-._:%", c);
}

/* Numbers and dots, but no IPv4 address, in whatever form programs take one. */
static bool is_bad_ipv4(const char *host)
{
	struct in_addr bytes;
	return !host[strspn(host, "0123456789.")] && inet_aton(host, &bytes) == 0;
}

int contact_host(const char *text, char host[CONTACT_HOST_MAX + 1])
{
	size_t len = strlen(text);
	if (len > 0 && text[len - 1] == '.')
		len--;
	if (len == 0 || len > CONTACT_HOST_MAX || text[0] == '.' || text[0] == '-' ||
	    strstr(text, ".."))
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\0' || !host_character(text[i]))
			return -EINVAL;
		host[i] = (char)tolower((unsigned char)text[i]);
	}
	host[len] = '\0';
	return is_bad_ipv4(host) ? -EDOM : 0;
}

static int parse_port(const char *text, uint16_t *port)
{
	uint32_t value = 0;
	if (*text == '\0' || strlen(text) > 5)
		return -EINVAL;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		value = value * 10 + (uint32_t)(*text - '0');
	}
	if (value == 0 || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)value;
	return 0;
}

/* An IPv6 address, with or without a scope. */
static bool is_ipv6(const char *text)
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr bytes;
	size_t len = strcspn(text, "%");
	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	return inet_pton(AF_INET6, address, &bytes) == 1;
}

int contact_parse(const char *text, struct contact *contact)
{
	char host[CONTACT_HOST_MAX + 1];
	const char *colon = strrchr(text, ':');
	if (!colon || parse_port(colon + 1, &contact->port) < 0)
		return -EINVAL;
	bool brackets = text[0] == '[' && colon > text + 1 && colon[-1] == ']';
	const char *first = text + brackets, *end = colon - brackets;
	if (end <= first || (size_t)(end - first) > CONTACT_HOST_MAX)
		return -EINVAL;
	memcpy(host, first, (size_t)(end - first));
	host[end - first] = '\0';
	if ((brackets || strchr(host, ':')) && !is_ipv6(host))
		return -EINVAL;
	/* "::1:80" may be an address with a port or an address alone; "::1:65535" is no address */
	if (!brackets && is_ipv6(text))
		return -EINVAL;
	return contact_host(host, contact->host);
}

void contact_format(const struct contact *contact, char text[CONTACT_TEXT_MAX])
{
	bool v6 = strchr(contact->host, ':') != NULL;
	snprintf(text, CONTACT_TEXT_MAX, v6 ? "[%s]:%u" : "%s:%u", contact->host,
		 (unsigned)contact->port);
}

bool contact_is_globus(const char *host, char uuid[UUID_TEXT + 1])
{
	static const char prefix[] = "globus.";
	uint8_t bytes[UUID_BYTES];
	if (strncasecmp(host, prefix, sizeof(prefix) - 1) != 0)
		return false;
	const char *id = host + sizeof(prefix) - 1;
	size_t len = strlen(id);
	char text[UUID_TEXT + 1];
	if (len == UUID_TEXT + 1 && id[UUID_TEXT] == '.')
		len--;
	if (len != UUID_TEXT)
		return false;
	memcpy(text, id, UUID_TEXT);
	text[UUID_TEXT] = '\0';
	if (uuid_parse(text, bytes) < 0)
		return false;
	uuid_format(bytes, uuid);
	return true;
}

int uuid_parse(const char *text, uint8_t bytes[UUID_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	size_t n = 0;
	if (strlen(text) != UUID_TEXT)
		return -EINVAL;
	for (size_t i = 0; i < UUID_TEXT; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (text[i] != '-')
				return -EINVAL;
			continue;
		}
		const char *digit = strchr(digits, tolower((unsigned char)text[i]));
		if (!digit)
			return -EINVAL;
		uint8_t nibble = (uint8_t)(digit - digits);
		bytes[n / 2] = (uint8_t)(n % 2 ? bytes[n / 2] | nibble : nibble << 4);
		n++;
	}
	return 0;
}

void uuid_format(const uint8_t bytes[UUID_BYTES], char text[UUID_TEXT + 1])
{
	for (size_t i = 0, at = 0; i < UUID_BYTES; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[at++] = '-';
		snprintf(text + at, 3, "%02x", bytes[i]);
		at += 2;
	}
}
