#include "cli/base/timestamp.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* "", "Z" or "+hh:mm" (the colon may be left out): seconds east of UTC. */
static int parse_zone(const char *text, int64_t *offset)
{
	int hours, minutes, end = 0;
	*offset = 0;
	if (!*text || strcmp(text, "Z") == 0 || strcmp(text, "z") == 0)
		return 0;
	if (*text != '+' && *text != '-')
		return -EINVAL;
	if ((sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &end) != 2 &&
	     sscanf(text + 1, "%2d%2d%n", &hours, &minutes, &end) != 2) ||
	    text[1 + end] || hours > 23 || minutes > 59 || hours < 0 || minutes < 0)
		return -EINVAL;
	*offset = (hours * 60 + minutes) * 60 * (*text == '-' ? -1 : 1);
	return 0;
}

int timestamp_parse(const char *text, int64_t *seconds)
{
	struct tm tm = {0};
	int end = 0;
	int64_t offset;
	char between;
	if (sscanf(text, "%4d-%2d-%2d%c%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &between, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &end) != 7 ||
	    !isdigit((unsigned char)*text) || (between != 'T' && between != ' '))
		return -EINVAL;
	if (tm.tm_year < 1970 || tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 ||
	    tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
	    tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return -EINVAL;
	text += end;
	if (*text == '.') {
		size_t digits = strspn(text + 1, "0123456789");
		if (!digits)
			return -EINVAL;
		text += 1 + digits;
	}
	if (parse_zone(text, &offset) < 0)
		return -EINVAL;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*seconds = (int64_t)timegm(&tm) - offset;
	return 0;
}

int timestamp_http(const char *text, int64_t *seconds)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char month[4] = "", gmt[4] = "";
	struct tm tm = {0};
	if (sscanf(text, "%*3[A-Za-z], %2d %3s %4d %2d:%2d:%2d %3s", &tm.tm_mday, month,
		   &tm.tm_year, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, gmt) != 7)
		return -EINVAL;
	const char *at = strstr(months, month);
	if (strlen(month) != 3 || !at || (at - months) % 3 || strcmp(gmt, "GMT") != 0 ||
	    tm.tm_year < 1970 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 ||
	    tm.tm_hour > 23 || tm.tm_min < 0 || tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return -EINVAL;
	tm.tm_mon = (int)(at - months) / 3;
	tm.tm_year -= 1900;
	*seconds = (int64_t)timegm(&tm);
	return 0;
}
