#include "cli/service/http.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "cli/base/authorities.h"
#include "cli/base/cleanup.h"
#include "cli/base/options.h"
#include "cli/base/patience.h"
#include "cli/base/proxy.h"
#include "cli/base/say.h"
#include "cli/base/text.h"
#include "cli/base/timestamp.h"
#include "cli/service/curl_lib.h"

#define TIMEOUT_DEFAULT 60
#define DELAY_MAX_MS    10000
#define LIMIT_MAX_MS    (365 * 86400 * 1000LL) /* the longest time limit */
#define GRACE_MS        3000 /* for the answer to a change after a signal asked to end */

struct http {
	const struct curl_lib *lib;
	CURL *easy;
	long timeout; /* seconds; 0: none */
	bool verify;
	bool changing;              /* the request in hand is no GET */
	const char *ca_file;        /* given by the user; NULL: the system's */
	const char *system_ca_file; /* where libcurl does not know it */
	char error[CURL_ERROR_SIZE];
};

struct sink {
	char *data;
	size_t len, room;
	bool too_long;
};

static bool is_word(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcasecmp(text, *words) == 0)
			return true;
	return false;
}

static int read_environment(struct http *http, struct failure *failure)
{
	static const char *const yes[] = {"1", "y", "yes", "t", "true", "on", NULL};
	static const char *const no[] = {"0", "n", "no", "f", "false", "off", NULL};
	const char *verify = getenv("GLOBUS_SDK_VERIFY_SSL");
	const char *timeout = getenv("GLOBUS_SDK_HTTP_TIMEOUT");
	long long seconds = TIMEOUT_DEFAULT;
	http->verify = true;
	if (verify && *verify && is_word(verify, no))
		http->verify = false;
	else if (verify && *verify && !is_word(verify, yes))
		http->ca_file = verify;
	if (timeout && *timeout && options_number(timeout, -1, 86400, &seconds) < 0)
		return failure_set(failure, STATUS_USAGE,
				   "GLOBUS_SDK_HTTP_TIMEOUT is '" TEXT_WORD
				   "'; it must be a whole number of seconds, or -1 "
				   "for no limit",
				   timeout);
	http->timeout = seconds > 0 ? (long)seconds : 0;
	if (!http->verify)
		say_warning("GLOBUS_SDK_VERIFY_SSL=%s: certificates are not checked", verify);
	return 0;
}

static void find_authorities(struct http *http)
{
	const char *built_in = NULL; /* older than 7.84: not told, and the distribution's own */
	if (http->lib->easy_getinfo(http->easy, CURLINFO_CAINFO, &built_in) == CURLE_OK)
		http->system_ca_file = authorities_find(built_in, authorities_places);
}

struct http *http_create(struct failure *failure)
{
	const struct curl_lib *lib = curl_lib(failure);
	if (!lib)
		return NULL;
	struct http *http = calloc(1, sizeof(*http));
	if (!http) {
		failure_memory(failure);
		return NULL;
	}
	http->lib = lib;
	http->easy = lib->easy_init();
	if (!http->easy)
		failure_memory(failure);
	if (!http->easy || read_environment(http, failure) < 0) {
		http_destroy(http);
		return NULL;
	}
	find_authorities(http);
	return http;
}

void http_destroy(struct http *http)
{
	if (!http)
		return;
	if (http->easy)
		http->lib->easy_cleanup(http->easy);
	free(http);
}

void http_response_finish(struct http_response *response)
{
	if (response->body)
		explicit_bzero(response->body, response->len);
	free(response->body);
	*response = (struct http_response){0};
}

/* Grow without leaving behind a copy that may hold a secret. */
static int sink_grow(struct sink *sink, size_t need)
{
	if (need <= sink->room)
		return 0;
	size_t room = need * 2;
	char *data = malloc(room);
	if (!data)
		return -1;
	if (sink->data) {
		memcpy(data, sink->data, sink->len);
		explicit_bzero(sink->data, sink->len);
		free(sink->data);
	}
	sink->data = data;
	sink->room = room;
	return 0;
}

static size_t on_body(char *bytes, size_t one, size_t count, void *user)
{
	struct sink *sink = user;
	sink->too_long = count > HTTP_BODY_MAX - sink->len;
	if (sink->too_long || sink_grow(sink, sink->len + count + 1) < 0)
		return 0;
	memcpy(sink->data + sink->len, bytes, count);
	sink->len += count;
	return count;
}

static size_t on_header(char *bytes, size_t one, size_t count, void *user)
{
	struct http_response *response = user;
	char text[64];
	if (count > 6 && count - 6 < sizeof(text) && strncasecmp(bytes, "date: ", 6) == 0) {
		snprintf(text, sizeof(text), "%.*s", (int)(count - 6), bytes + 6);
		timestamp_http(text, &response->date);
	}
	return count;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const struct http *http = user;
	say_tick();
	return patience_gives_up(http->changing ? GRACE_MS : 0);
}

static struct curl_slist *headers(struct http *http, const struct http_request *request)
{
	cleanup_wipe char *bearer = NULL;
	cleanup_free char *type = NULL;
	struct curl_slist *list = http->lib->slist_append(NULL, "Accept: application/json");
	if (request->bearer && asprintf(&bearer, "Authorization: Bearer %s", request->bearer) >= 0)
		list = http->lib->slist_append(list, bearer);
	if (request->type && asprintf(&type, "Content-Type: %s", request->type) >= 0)
		list = http->lib->slist_append(list, type);
	/* Else a body over 1 MiB would wait a second for a "100 Continue". */
	return http->lib->slist_append(list, "Expect:");
}

static void headers_finish(struct http *http, struct curl_slist *list)
{
	for (struct curl_slist *at = list; at; at = at->next)
		explicit_bzero(at->data, strlen(at->data));
	http->lib->slist_free_all(list);
}

/* What one try may take; 0: any time. */
static long limit_ms(const struct http *http)
{
	long long limit = http->timeout ? http->timeout * 1000LL : LIMIT_MAX_MS;
	long long left = patience_left_ms(limit);
	if (left == LIMIT_MAX_MS)
		return 0;
	return left > 0 ? (long)left : 1;
}

static void prepare(struct http *http, const struct http_request *request)
{
	CURL *easy = http->easy;
	CURLcode (*set)(CURL *, CURLoption, ...) = http->lib->easy_setopt;
	http->lib->easy_reset(easy);
	http->error[0] = '\0';
	set(easy, CURLOPT_URL, request->url);
	set(easy, CURLOPT_CUSTOMREQUEST, request->method);
	set(easy, CURLOPT_ERRORBUFFER, http->error);
	set(easy, CURLOPT_USERAGENT, "globus-streams/" GS_VERSION);
	set(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
	set(easy, CURLOPT_NOSIGNAL, 1L);
	set(easy, CURLOPT_TIMEOUT_MS, limit_ms(http));
	set(easy, CURLOPT_CONNECTTIMEOUT_MS, limit_ms(http));
	set(easy, CURLOPT_SSL_VERIFYPEER, http->verify ? 1L : 0L);
	set(easy, CURLOPT_SSL_VERIFYHOST, http->verify ? 2L : 0L);
	const char *ca_file = http->ca_file ? http->ca_file : http->system_ca_file;
	if (ca_file)
		set(easy, CURLOPT_CAINFO, ca_file);
	if (http->system_ca_file)
		set(easy, CURLOPT_PROXY_CAINFO, http->system_ca_file);
	set(easy, CURLOPT_WRITEFUNCTION, on_body);
	set(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	set(easy, CURLOPT_XFERINFODATA, http);
	set(easy, CURLOPT_NOPROGRESS, 0L);
	if (request->body) {
		set(easy, CURLOPT_POSTFIELDSIZE, (long)strlen(request->body));
		set(easy, CURLOPT_POSTFIELDS, request->body);
	}
	/* On a reused connection, libcurl silently repeats a request whose answer was lost. A
	 * DELETE must not be repeated unnoticed, since its second answer is 404. */
	if (strcmp(request->method, "DELETE") == 0)
		set(easy, CURLOPT_FRESH_CONNECT, 1L);
	if (request->user) {
		set(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		set(easy, CURLOPT_USERNAME, request->user);
		set(easy, CURLOPT_PASSWORD, request->password);
	}
}

/* One try. */
static CURLcode try(struct http *http, const struct http_request *request,
		    struct http_response *response, bool *too_long)
{
	struct sink sink = {0};
	struct curl_slist *list = headers(http, request);
	prepare(http, request);
	http->lib->easy_setopt(http->easy, CURLOPT_HTTPHEADER, list);
	http->lib->easy_setopt(http->easy, CURLOPT_WRITEDATA, &sink);
	http->lib->easy_setopt(http->easy, CURLOPT_HEADERFUNCTION, on_header);
	http->lib->easy_setopt(http->easy, CURLOPT_HEADERDATA, response);
	CURLcode code = http->lib->easy_perform(http->easy);
	headers_finish(http, list);
	if (code == CURLE_OK && sink_grow(&sink, sink.len + 1) < 0)
		code = CURLE_OUT_OF_MEMORY;
	*too_long = sink.too_long;
	response->body = sink.data;
	response->len = sink.len;
	if (code != CURLE_OK) {
		http_response_finish(response);
		return code;
	}
	response->body[response->len] = '\0';
	http->lib->easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &response->status);
	return code;
}

/* Errors that a retry cannot fix. */
static bool is_final(CURLcode code)
{
	switch (code) {
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT:
	case CURLE_OUT_OF_MEMORY:
	case CURLE_WRITE_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_ABORTED_BY_CALLBACK:
		return true;
	default:
		return false;
	}
}

static bool is_retryable(const struct http_request *request, const struct http_response *response)
{
	long status = response->status;
	if (status != 429 && status != 500 && (status < 502 || status > 504))
		return false;
	return !request->is_final || !request->is_final(response);
}

static long delay_ms(struct http *http, int n, bool answered)
{
	curl_off_t after = 0;
	if (answered && http->lib->easy_getinfo(http->easy, CURLINFO_RETRY_AFTER, &after) == 0 &&
	    after > 0)
		return after >= DELAY_MAX_MS / 1000 ? DELAY_MAX_MS : (long)after * 1000;
	uint16_t random = 0;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = 0x8000;
	long ms = (250 + 500L * random / 0xffff) << n;
	return ms > DELAY_MAX_MS ? DELAY_MAX_MS : ms;
}

static void pause_ms(long ms)
{
	for (ms = (long)patience_left_ms(ms); ms > 0 && !patience_gives_up(0); ms -= 100) {
		long step = ms < 100 ? ms : 100;
		nanosleep(&(struct timespec){.tv_nsec = step * 1000000}, NULL);
		say_tick();
	}
}

/* What to do where no answer came. */
static const char *next_step(const struct http *http, CURLcode code, bool proxied)
{
	if (code == CURLE_PEER_FAILED_VERIFICATION)
		return "if you use a CA of your own, set GLOBUS_SDK_VERIFY_SSL to its file";
	if (code == CURLE_SSL_CACERT_BADFILE && !http->ca_file)
		return "install the package ca-certificates, or set GLOBUS_SDK_VERIFY_SSL to a "
		       "file of certificate authorities";
	if (code == CURLE_SSL_CACERT_BADFILE)
		return "check GLOBUS_SDK_VERIFY_SSL";
	if (code == CURLE_URL_MALFORMAT)
		return "check the service's URL";
	if (proxied)
		return "check that proxy, or list the host in no_proxy";
	if (code == CURLE_COULDNT_RESOLVE_HOST)
		return "check the name and this machine's DNS";
	return "check the network, or try again later";
}

static int explain(struct http *http, const struct http_request *request, CURLcode code,
		   bool too_long, int tries, struct failure *failure)
{
	if (patience_gives_up(0))
		return patience_fail(failure, http->changing ? " before the service answered; the "
							       "request may have been carried out"
							     : "");
	const char *detail = http->error[0] ? http->error : http->lib->easy_strerror(code);
	char cause[CURL_ERROR_SIZE + 128];
	long os_errno = 0;
	http->lib->easy_getinfo(http->easy, CURLINFO_OS_ERRNO, &os_errno);
	if (too_long)
		snprintf(cause, sizeof(cause), "its answer is longer than 8 MiB");
	else if (code == CURLE_COULDNT_CONNECT && os_errno)
		snprintf(cause, sizeof(cause), "%s", strerror((int)os_errno));
	else if (code == CURLE_OPERATION_TIMEDOUT && !patience_left_ms(1))
		snprintf(cause, sizeof(cause), "the answer was not complete in that time");
	else if (code == CURLE_OPERATION_TIMEDOUT)
		snprintf(cause, sizeof(cause), "the answer was not complete within %ld s",
			 http->timeout);
	else
		snprintf(cause, sizeof(cause), "%s", detail);
	char counted[32] = "", proxy[PROXY_TEXT_MAX];
	proxy_describe(request->url, proxy);
	if (tries > 1)
		snprintf(counted, sizeof(counted), " (%d tries)", tries);
	return failure_set(failure, STATUS_FAILED, "no answer from %s at %.300s%s%s%s: %s; %s",
			   request->service, request->url, *proxy ? " through the proxy " : "",
			   proxy, counted, cause, next_step(http, code, *proxy));
}

/* With --debug: what is sent. Never the body, a header or a token, which may be secret. */
static void trace_request(const struct http_request *request, int n)
{
	const char *how = request->bearer ? "with a token"
			  : request->user ? "with client credentials"
					  : "without a token";
	if (request->body)
		say_debug("try %d: %s %s, %s, %zu bytes of %s", n + 1, request->method,
			  request->url, how, strlen(request->body),
			  request->type ? request->type : "text");
	else
		say_debug("try %d: %s %s, %s", n + 1, request->method, request->url, how);
}

/* And what came back. */
static void trace_response(struct http *http, const struct http_response *response, CURLcode code)
{
	char *type = NULL, *address = NULL;
	double seconds = 0;
	http->lib->easy_getinfo(http->easy, CURLINFO_CONTENT_TYPE, &type);
	http->lib->easy_getinfo(http->easy, CURLINFO_PRIMARY_IP, &address);
	http->lib->easy_getinfo(http->easy, CURLINFO_TOTAL_TIME, &seconds);
	if (code == CURLE_OK)
		say_debug("HTTP %ld, %zu bytes of %s from %s after %.0f ms", response->status,
			  response->len, type ? type : "an unnamed type", address ? address : "?",
			  seconds * 1000);
	else
		say_debug("no answer after %.0f ms: %s", seconds * 1000,
			  http->error[0] ? http->error : http->lib->easy_strerror(code));
}

static int perform(struct http *http, const struct http_request *request,
		   struct http_response *response, struct failure *failure)
{
	for (int n = 0;; n++) {
		bool too_long;
		trace_request(request, n);
		CURLcode code = try(http, request, response, &too_long);
		trace_response(http, response, code);
		response->tries = n + 1;
		say_verbose("%s %s: %ld%s", request->method, request->url, response->status,
			    code == CURLE_OK ? "" : " (no answer)");
		bool again = code == CURLE_OK ? is_retryable(request, response) : !is_final(code);
		if (again && n < HTTP_RETRIES) {
			long ms = delay_ms(http, n, code == CURLE_OK);
			say_verbose("%s: retrying in %ld ms", request->service, ms);
			pause_ms(ms);
			again = patience_left_ms(1) && !patience_gives_up(0);
		} else {
			again = false;
		}
		if (!again && code == CURLE_OK)
			return 0;
		if (!again)
			return explain(http, request, code, too_long, n + 1, failure);
		http_response_finish(response);
	}
}

int http_perform(struct http *http, const struct http_request *request,
		 struct http_response *response, struct failure *failure)
{
	char what[80];
	bool waiting = say_is_waiting();
	http->changing = strcmp(request->method, "GET") != 0;
	*response = (struct http_response){0};
	snprintf(what, sizeof(what), "waiting for %s", request->service);
	if (!waiting)
		say_waiting(what);
	int err = perform(http, request, response, failure);
	if (!waiting)
		say_waiting(NULL);
	return err;
}

char *http_form(struct http *http, const char *const *pairs)
{
	char *form = strdup("");
	for (; form && pairs[0]; pairs += 2) {
		if (!pairs[1])
			continue;
		char *value = http->lib->easy_escape(http->easy, pairs[1], 0);
		char *longer = NULL;
		if (!value ||
		    asprintf(&longer, "%s%s%s=%s", form, *form ? "&" : "", pairs[0], value) < 0)
			longer = NULL;
		if (value)
			explicit_bzero(value, strlen(value));
		http->lib->free(value);
		explicit_bzero(form, strlen(form));
		free(form);
		form = longer;
	}
	return form;
}
