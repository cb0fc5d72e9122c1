#ifndef GW_TUNNEL_JSON_H
#define GW_TUNNEL_JSON_H

/* Tunnels and their events as JSON:API resources. */

#include "contrib/gateway/services/request.h"

/* The request says by which address the initiator contact can be reached: the one it came by. */
cJSON *tunnel_json(const struct request *request, const struct tunnel *tunnel);

cJSON *event_json(const struct event *event);

const char *event_code_name(const struct event *event);

/* {"data": {"type": …, "id": …}} */
cJSON *relationship_json(const char *type, const char *id);

#endif
