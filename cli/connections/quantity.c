#include "cli/connections/quantity.h"

#include <stddef.h>
#include <stdio.h>

/* Three digits. */
static int digits(double value)
{
	return value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
}

void quantity_bytes(double bytes, char text[QUANTITY_TEXT])
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
	size_t unit = 0;
	for (; bytes >= 999.5 && unit + 1 < sizeof(units) / sizeof(*units); unit++)
		bytes /= 1000;
	snprintf(text, QUANTITY_TEXT, "%.*f %s", unit ? digits(bytes) : 0, bytes, units[unit]);
}

void quantity_time(long long ms, char text[QUANTITY_TEXT])
{
	long long s = ms / 1000;
	if (s < 60)
		snprintf(text, QUANTITY_TEXT, "%lld s", s);
	else if (s < 3600)
		snprintf(text, QUANTITY_TEXT, "%lld min %02lld s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, QUANTITY_TEXT, "%lld h %02lld min", s / 3600, s / 60 % 60);
	else
		snprintf(text, QUANTITY_TEXT, "%lld d %02lld h", s / 86400, s / 3600 % 24);
}

void quantity_short_time(unsigned us, char text[QUANTITY_TEXT])
{
	double ms = us / 1000.0;
	if (ms < 999.5)
		snprintf(text, QUANTITY_TEXT, "%.*f ms", digits(ms), ms);
	else
		snprintf(text, QUANTITY_TEXT, "%.*f s", digits(ms / 1000), ms / 1000);
}
