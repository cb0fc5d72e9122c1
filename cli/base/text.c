#include "cli/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The length of the character that begins with this byte; 0: none does. */
static int length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first < 0xe0)
		return 2;
	if (first >= 0xe0 && first < 0xf0)
		return 3;
	return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

long text_next(const char **at)
{
	static const long least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *byte = (const unsigned char *)*at;
	int length = length_of(*byte);
	if (*byte)
		++*at;
	if (length <= 1)
		return length ? *byte : -1;
	long code = *byte & (0x7f >> length);
	for (int i = 1; i < length; i++) {
		/* The closing NUL is not a continuation byte, so nothing after it is read. */
		if ((byte[i] & 0xc0) != 0x80)
			return -1;
		code = code << 6 | (byte[i] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return -1;
	*at += length - 1;
	return code;
}

void text_clean(char *text)
{
	const char *at = text;
	while (*at) {
		char *from = (char *)at;
		long code = text_next(&at);
		if (code < 0)
			*from = '?';
		else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
			memset(from, ' ', (size_t)(at - from));
	}
}

char *text_cut(const char *text, size_t max)
{
	size_t len = strnlen(text, max + 1);
	char *copy = NULL;
	if (len <= max)
		return strdup(text);
	for (len = max - 3; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80; len--)
		;
	return asprintf(&copy, "%.*s...", (int)len, text) < 0 ? NULL : copy;
}
