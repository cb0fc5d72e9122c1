#ifndef GW_CLEANUP_H
#define GW_CLEANUP_H

#include "protocol/cleanup.h"
#include <cjson/cJSON.h>

static inline void json_cleanup(cJSON **json)
{
	cJSON_Delete(*json);
}
#define cleanup_json __attribute__((cleanup(json_cleanup)))

#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#endif
