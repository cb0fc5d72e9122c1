#ifndef GW_ROUTES_H
#define GW_ROUTES_H

#include "contrib/gateway/services/request.h"

/* Find who answers the request, check its token, and let it answer. Fills in what struct request
 * says of the route. */
struct answer routes_dispatch(struct gateway *gateway, struct request *request);

#endif
