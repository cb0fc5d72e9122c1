#include "contrib/gateway/main/env_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void env_file_url(const union address *address, char url[ENV_URL_MAX])
{
	struct contact contact;
	char text[CONTACT_TEXT_MAX];

	address_contact(address, &contact);
	if (address_is_wildcard(address))
		strcpy(contact.host, address->any.sa_family == AF_INET ? "127.0.0.1" : "::1");
	contact_format(&contact, text);
	snprintf(url, ENV_URL_MAX, "http://%.*s", ENV_URL_MAX - 8, text);
}

int env_file_write(const struct gateway *gateway, const struct state_dir *dir)
{
	const struct store *store = &gateway->store;
	char url[ENV_URL_MAX], text[1024];
	int len, error;

	env_file_url(&gateway->address, url);
	len = snprintf(text, sizeof(text),
		       "export GLOBUS_SDK_SERVICE_URL_AUTH=%s\n"
		       "export GLOBUS_SDK_SERVICE_URL_TRANSFER=%s\n"
		       "export GLOBUS_CLI_CLIENT_ID=%s\n"
		       "export GLOBUS_CLI_CLIENT_SECRET=%s\n"
		       "export LAB_INITIATOR_AP=%s\n"
		       "export LAB_LISTENER_AP=%s\n",
		       url, url, store->client.identity.id, store->client.secret,
		       store->access_points[SIDE_INITIATOR].id,
		       store->access_points[SIDE_LISTENER].id);
	error = len < (int)sizeof(text) ? state_dir_write(dir, ENV_FILE, text, (size_t)len)
					: -EOVERFLOW;
	wipe(text, sizeof(text));
	return error;
}
