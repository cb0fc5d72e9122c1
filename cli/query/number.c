#include "cli/query/number.h"

#include <string.h>

#define DIGITS "0123456789"

bool number_is_json(const char *text)
{
	text += *text == '-';
	size_t whole = strspn(text, DIGITS);
	if (!whole || (*text == '0' && whole > 1))
		return false;
	text += whole;
	if (*text == '.') {
		size_t fraction = strspn(text + 1, DIGITS);
		if (!fraction)
			return false;
		text += fraction + 1;
	}
	if (*text == 'e' || *text == 'E') {
		text++;
		text += *text == '+' || *text == '-';
		size_t exponent = strspn(text, DIGITS);
		if (!exponent)
			return false;
		text += exponent;
	}
	return !text[strspn(text, " \t\r\n")];
}
