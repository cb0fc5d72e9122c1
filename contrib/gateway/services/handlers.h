#ifndef GW_HANDLERS_H
#define GW_HANDLERS_H

/* The routes' handlers, as the table in routes.c names them: each answers one method of one path.
 * The request's path is parsed and its token, where the table asks for one, checked before. */

#include "contrib/gateway/services/request.h"

typedef struct answer handler(struct gateway *gateway, const struct request *request);

/* token.c */
handler token_grant, token_revoke;

/* authorize.c */
handler authorize, show_code, userinfo;

/* tunnels.c */
handler tunnels_create, tunnels_list, tunnels_show, tunnels_update, tunnels_delete, tunnels_events;

/* access_points.c */
handler access_points_list, access_points_show, endpoint_show;

/* manager_info.c */
handler manager_info, stream_gateways_list;

/* lan_secrets.c */
handler lan_secrets_create, lan_secrets_delete;

#endif
