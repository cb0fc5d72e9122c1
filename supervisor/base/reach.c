#include "supervisor/base/reach.h"

#include <string.h>

struct reach reach_all(void)
{
	struct reach reach;
	memset(&reach, 0xff, sizeof(reach));
	return reach;
}

void reach_add(struct reach *reach, uint32_t tunnel)
{
	if (tunnel < MAX_TUNNELS)
		reach->bits[tunnel / 64] |= 1ull << tunnel % 64;
}

bool reach_has(const struct reach *reach, uint32_t tunnel)
{
	if (!reach)
		return true;
	return tunnel < MAX_TUNNELS && (reach->bits[tunnel / 64] >> tunnel % 64 & 1);
}

bool reach_same(const struct reach *a, const struct reach *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}
