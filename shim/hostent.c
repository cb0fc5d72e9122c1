/*
 * gethostbyname(), gethostbyaddr() and their variants. Where libc is called instead, it is called
 * with what the caller gave. The functions without _r return one static result, as libc's do: two
 * threads that use them overwrite each other's.
 */

#include <errno.h>
#include <netdb.h>

#include "shim/answer.h"
#include "shim/ask.h"
#include "shim/next.h"

typedef struct hostent *gethostbyname_fn(const char *name);
typedef struct hostent *gethostbyname2_fn(const char *name, int family);
typedef struct hostent *gethostbyaddr_fn(const void *address, socklen_t len, int family);
typedef int gethostbyname_r_fn(const char *name, struct hostent *host, char *buffer, size_t size,
			       struct hostent **result, int *error);
typedef int gethostbyname2_r_fn(const char *name, int family, struct hostent *host, char *buffer,
				size_t size, struct hostent **result, int *error);
typedef int gethostbyaddr_r_fn(const void *address, socklen_t len, int family, struct hostent *host,
			       char *buffer, size_t size, struct hostent **result, int *error);

static struct hostent *fail(int error)
{
	h_errno = error;
	return NULL;
}

EXPORT struct hostent *gethostbyname(const char *name)
{
	static struct next self = {"gethostbyname", NULL};
	gethostbyname_fn *next = (gethostbyname_fn *)next_find(&self);
	struct question question;
	switch (answer_by_name(&question, name, AF_INET)) {
	case QUESTION_OURS:
		return answer_give_static(&question);
	case QUESTION_NO_FAMILY:
		return fail(NO_DATA);
	default:
		return next ? ask_done(next(name)) : fail(NO_RECOVERY);
	}
}

EXPORT struct hostent *gethostbyname2(const char *name, int family)
{
	static struct next self = {"gethostbyname2", NULL};
	gethostbyname2_fn *next = (gethostbyname2_fn *)next_find(&self);
	struct question question;
	switch (answer_by_name(&question, name, family)) {
	case QUESTION_OURS:
		return answer_give_static(&question);
	case QUESTION_NO_FAMILY:
		return fail(NO_DATA);
	default:
		return next ? ask_done(next(name, family)) : fail(NO_RECOVERY);
	}
}

EXPORT struct hostent *gethostbyaddr(const void *address, socklen_t len, int family)
{
	static struct next self = {"gethostbyaddr", NULL};
	gethostbyaddr_fn *next = (gethostbyaddr_fn *)next_find(&self);
	struct question question;
	if (answer_by_address(&question, address, len, family) == QUESTION_OURS)
		return answer_give_static(&question);
	return next ? ask_done(next(address, len, family)) : fail(NO_RECOVERY);
}

/* As libc's: a name that is not there is no error of the call. */
static int fail_r(int error_wanted, struct hostent **result, int *error)
{
	*result = NULL;
	*error = error_wanted;
	return 0;
}

EXPORT int gethostbyname_r(const char *restrict name, struct hostent *restrict host,
			   char *restrict buffer, size_t size, struct hostent **restrict result,
			   int *restrict error)
{
	static struct next self = {"gethostbyname_r", NULL};
	gethostbyname_r_fn *next = (gethostbyname_r_fn *)next_find(&self);
	struct question question;
	switch (answer_by_name(&question, name, AF_INET)) {
	case QUESTION_OURS:
		return answer_give(&question, host, buffer, size, result, error);
	case QUESTION_NO_FAMILY:
		return fail_r(NO_DATA, result, error);
	default:
		return next ? ask_done(next(name, host, buffer, size, result, error))
			    : fail_r(NO_RECOVERY, result, error);
	}
}

EXPORT int gethostbyname2_r(const char *restrict name, int family, struct hostent *restrict host,
			    char *restrict buffer, size_t size, struct hostent **restrict result,
			    int *restrict error)
{
	static struct next self = {"gethostbyname2_r", NULL};
	gethostbyname2_r_fn *next = (gethostbyname2_r_fn *)next_find(&self);
	struct question question;
	switch (answer_by_name(&question, name, family)) {
	case QUESTION_OURS:
		return answer_give(&question, host, buffer, size, result, error);
	case QUESTION_NO_FAMILY:
		return fail_r(NO_DATA, result, error);
	default:
		return next ? ask_done(next(name, family, host, buffer, size, result, error))
			    : fail_r(NO_RECOVERY, result, error);
	}
}

EXPORT int gethostbyaddr_r(const void *restrict address, socklen_t len, int family,
			   struct hostent *restrict host, char *restrict buffer, size_t size,
			   struct hostent **restrict result, int *restrict error)
{
	static struct next self = {"gethostbyaddr_r", NULL};
	gethostbyaddr_r_fn *next = (gethostbyaddr_r_fn *)next_find(&self);
	struct question question;
	if (answer_by_address(&question, address, len, family) == QUESTION_OURS)
		return answer_give(&question, host, buffer, size, result, error);
	return next ? ask_done(next(address, len, family, host, buffer, size, result, error))
		    : fail_r(NO_RECOVERY, result, error);
}
