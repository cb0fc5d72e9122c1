#include "cli/tunnel/tunnel_record.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/service/output.h"

static const char *port_text(int64_t port, char text[8])
{
	snprintf(text, 8, "%" PRId64, port);
	return port ? text : NULL;
}

void tunnel_record_print(const struct cli *cli, const struct tunnel *tunnel)
{
	char listener[8], initiator[8];
	const struct output_field fields[] = {
		{"ID", tunnel->id},
		{"Label", tunnel->label},
		{"State", tunnel->state},
		{"Status", tunnel->status},
		{"Listener Access Point", tunnel->listener_ap},
		{"Listener IP", tunnel->listener_ip},
		{"Listener Port", port_text(tunnel->listener_port, listener)},
		{"Initiator Access Point", tunnel->initiator_ap},
		{"Initiator IP", tunnel->initiator_ip},
		{"Initiator Port", port_text(tunnel->initiator_port, initiator)},
	};
	if (cli->json)
		output_json(tunnel->document);
	else
		output_record(fields, sizeof(fields) / sizeof(*fields));
}

int tunnel_record_change(struct cli *cli, const char *word, const char *attribute,
			 const char *value, struct tunnel *tunnel)
{
	char id[37];
	if (cli_uuid(cli, "a tunnel's", word, id) < 0)
		return -1;
	cJSON *attributes = cJSON_CreateObject();
	if (!cJSON_AddStringToObject(attributes, attribute, value)) {
		cJSON_Delete(attributes);
		return failure_memory(&cli->failure);
	}
	return transfer_change(cli, id, attributes, tunnel);
}
