#ifndef GS_QUERY_NUMBER_H
#define GS_QUERY_NUMBER_H

#include <stdbool.h>

/* Whether all of text, white space at its end left aside, is a number as JSON writes it. */
bool number_is_json(const char *text);

#endif
