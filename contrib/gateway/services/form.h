#ifndef GW_FORM_H
#define GW_FORM_H

/* A body of type application/x-www-form-urlencoded. */

#include <stddef.h>

#define FORM_FIELDS_MAX 32

struct form {
	char *text; /* the fields, decoded in place */
	size_t size;
	const char *names[FORM_FIELDS_MAX], *values[FORM_FIELDS_MAX];
	size_t count;
};

/* 0, -EINVAL, or -ENOMEM; finish it in any case. */
int form_init(struct form *form, const char *body);
void form_finish(struct form *form);

/* The value, "" included; NULL: it is not there. */
const char *form_get(const struct form *form, const char *name);

/* Decode %XX and, where plus is set, '+' in place: 0, or -EINVAL for a bad or a NUL one. */
int percent_decode(char *text, int plus);

/* Encode for a query; text may be size bytes long: 0 or -EINVAL. */
int percent_encode(const char *plain, char *text, size_t size);

#endif
