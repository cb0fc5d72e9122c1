#ifndef GS_CURL_LIB_H
#define GS_CURL_LIB_H

/*
 * libcurl, loaded when the network is first needed. Loading its thirty libraries takes several
 * times as long as a whole lookup from a fresh conf, and a program may wait for that lookup to
 * connect.
 */

/* RHEL 9 has 7.76, with only those names that newer headers call deprecated. */
#define CURL_DISABLE_DEPRECATION
#include <curl/curl.h>

#include "cli/base/failure.h"

#if LIBCURL_VERSION_NUM < 0x075400
#define CURLINFO_CAINFO ((CURLINFO)(CURLINFO_STRING + 61))
#endif

struct curl_lib {
	CURLcode (*global_init)(long flags);
	CURL *(*easy_init)(void);
	void (*easy_reset)(CURL *);
	void (*easy_cleanup)(CURL *);
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...); /* numbers as long */
	CURLcode (*easy_perform)(CURL *);
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	const char *(*easy_strerror)(CURLcode);
	char *(*easy_escape)(CURL *, const char *, int);
	void (*free)(void *);
	struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
	void (*slist_free_all)(struct curl_slist *);
};

/* The library, loaded and initialised once; NULL with failure. */
const struct curl_lib *curl_lib(struct failure *failure);

#endif
