#include "contrib/gateway/services/form.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/gateway/base/ids.h"

static int digit(char c)
{
	if (!isxdigit((unsigned char)c))
		return -1;
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

int percent_decode(char *text, int plus)
{
	char *to = text;

	for (; *text; text++) {
		int high, low;

		if (*text != '%') {
			*to++ = plus && *text == '+' ? ' ' : *text;
			continue;
		}
		high = digit(text[1]);
		low = high < 0 ? -1 : digit(text[2]);
		if (low < 0 || (high == 0 && low == 0))
			return -EINVAL;
		*to++ = (char)(high << 4 | low);
		text += 2;
	}
	*to = '\0';
	return 0;
}

int percent_encode(const char *plain, char *text, size_t size)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *plain; plain++) {
		unsigned char c = (unsigned char)*plain;

		if (size < 4)
			return -EINVAL;
		if (isalnum(c) || strchr("-._~", c)) {
			*text++ = (char)c;
			size--;
			continue;
		}
		*text++ = '%';
		*text++ = digits[c >> 4];
		*text++ = digits[c & 15];
		size -= 3;
	}
	*text = '\0';
	return 0;
}

static int take_field(struct form *form, char *name)
{
	char *value = strchr(name, '=');

	if (!*name)
		return 0;
	if (!value || form->count == FORM_FIELDS_MAX)
		return -EINVAL;
	*value++ = '\0';
	if (percent_decode(name, 1) < 0 || percent_decode(value, 1) < 0)
		return -EINVAL;
	form->names[form->count] = name;
	form->values[form->count++] = value;
	return 0;
}

int form_init(struct form *form, const char *body)
{
	char *field, *rest;

	*form = (struct form){.text = strdup(body)};
	if (!form->text)
		return -ENOMEM;
	form->size = strlen(body);
	rest = form->text;
	while ((field = strsep(&rest, "&"))) {
		if (take_field(form, field) < 0)
			return -EINVAL;
	}
	return 0;
}

void form_finish(struct form *form)
{
	if (form->text)
		wipe(form->text, form->size); /* a client secret, a refresh token */
	free(form->text);
}

const char *form_get(const struct form *form, const char *name)
{
	for (size_t i = 0; i < form->count; i++) {
		if (strcmp(form->names[i], name) == 0)
			return form->values[i];
	}
	return NULL;
}
