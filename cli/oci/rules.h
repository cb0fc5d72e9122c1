#ifndef GS_OCI_RULES_H
#define GS_OCI_RULES_H

/* The rules of a profile for the calls that the supervisor sees. */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>

#define ACT_NOTIFY "SCMP_ACT_NOTIFY"
#define ACT_ALLOW  "SCMP_ACT_ALLOW"
#define ACT_ERRNO  "SCMP_ACT_ERRNO"

/* The call at that place; NULL: there are no more. */
const char *rules_call(size_t index);

/* Is it an open of files, which only names need? */
bool rules_is_open(const char *call);

/* Add the rules of the call at that place to a list: what is seen of it, what fails, and, unless a
 * profile's default does that, what is allowed. False: no memory. */
bool rules_add(cJSON *list, size_t index, bool allowed_by_default);

/* i386's other way to make these calls, first of all rules of a profile: libseccomp puts rules of
 * its own for it behind those of others, and of two the first counts. error: how it fails, which is
 * not how calls fail by default; 0: it is seen. */
bool rules_add_socketcall(cJSON *list, int error);

#endif
