#include "contrib/gateway/services/request.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>

const char *request_query(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *request_header(const struct request *request, const char *name)
{
	return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

void request_local_address(const struct request *request, union address *address)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	socklen_t len = sizeof(*address);

	memset(address, 0, sizeof(*address));
	if (!info || getsockname(info->connect_fd, &address->any, &len) < 0)
		address_parse("127.0.0.1", 0, address);
}

void request_base_url(const struct gateway *gateway, const struct request *request,
		      char url[BASE_URL_MAX])
{
	char host[CONTACT_TEXT_MAX];
	struct contact contact;
	union address address;

	request_local_address(request, &address);
	address_contact(&address, &contact);
	contact.port = address_port(&gateway->address);
	contact_format(&contact, host);
	snprintf(url, BASE_URL_MAX, "http://%.*s", BASE_URL_MAX - 8, host);
}
