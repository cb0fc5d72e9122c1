/* Contact strings, host names and UUIDs: what is taken can be written and read again. */

#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "protocol/contact.h"

static void contact(const char *text)
{
	struct contact first, second;
	char written[CONTACT_TEXT_MAX];
	if (contact_parse(text, &first) < 0)
		return;
	assert(first.port != 0 && first.host[0]);
	contact_format(&first, written);
	assert(contact_parse(written, &second) == 0);
	if (first.host[strlen(first.host) - 1] == '.')
		return; /* it ended with two dots, and loses one more */
	assert(first.port == second.port && strcmp(first.host, second.host) == 0);
}

static void others(const char *text)
{
	char host[CONTACT_HOST_MAX + 1], again[CONTACT_HOST_MAX + 1], uuid[UUID_TEXT + 1];
	uint8_t bytes[UUID_BYTES];
	if (contact_host(text, host) == 0)
		assert(contact_host(host, again) == 0);
	if (contact_is_globus(text, uuid))
		assert(uuid_parse(uuid, bytes) == 0);
	if (uuid_parse(text, bytes) == 0) {
		uuid_format(bytes, uuid);
		assert(strlen(uuid) == UUID_TEXT && uuid_parse(uuid, bytes) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	contact(text);
	others(text);
	free(text);
	return 0;
}
