#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/clock.h"
#include "cli/base/proxy.h"
#include "cli/base/say.h"
#include "cli/doctor/doctor.h"
#include "cli/doctor/probe.h"

/* doctor: the proxy between us and a service, found by the variables that libcurl reads, and asked
 * as libcurl would. */

struct way {
	bool tls; /* the service's URL begins with https:// */
	struct contact service;
	struct proxy named; /* by the environment */
	bool plain;         /* an HTTP proxy that takes requests in clear */
	bool credentials;   /* in its URL */
	struct contact proxy;
};

/* HOST[:PORT] up to the end or a slash. */
static bool parse_host(const char *text, const char *port, struct contact *contact)
{
	size_t len = strcspn(text, "/?#");
	cleanup_free char *host = strndup(text, len), *whole = NULL;
	if (host && contact_parse(host, contact) == 0)
		return true;
	return host && asprintf(&whole, "%s:%s", host, port) >= 0 &&
	       contact_parse(whole, contact) == 0;
}

static bool find_proxy(const char *url, struct way *way)
{
	way->tls = strncasecmp(url, "https://", 8) == 0;
	if (!parse_host(strstr(url, "://") + 3, way->tls ? "443" : "80", &way->service))
		return false;
	if (!proxy_find(url, &way->named))
		return false;
	const char *rest = strstr(way->named.value, "://");
	way->plain = !rest || strncasecmp(way->named.value, "http://", 7) == 0;
	rest = rest ? rest + 3 : way->named.value;
	const char *at = memrchr(rest, '@', strcspn(rest, "/"));
	way->credentials = at != NULL;
	return parse_host(at ? at + 1 : rest, "1080", &way->proxy);
}

/* The HTTP status with which the proxy answers a request for the service; 0: none in time. */
static int ask(int fd, const struct way *way, const char *url, long long end)
{
	char service[CONTACT_TEXT_MAX], answer[64] = "";
	cleanup_free char *request = NULL;
	size_t len = 0;
	int status = 0;
	contact_format(&way->service, service);
	int n = way->tls ? asprintf(&request, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", service,
				    service)
			 : asprintf(&request,
				    "GET %s/ HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
				    url, service);
	if (n < 0) {
		request = NULL;
		return 0;
	}
	if (send(fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		return 0;
	while (len < sizeof(answer) - 1 && !strchr(answer, '\n')) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		long long left = end - clock_ms();
		if (left <= 0 || poll(&ready, 1, (int)left) <= 0)
			return 0;
		ssize_t got = recv(fd, answer + len, sizeof(answer) - 1 - len, 0);
		if (got <= 0)
			return 0;
		len += (size_t)got;
	}
	return sscanf(answer, "HTTP/%*3s %3d", &status) == 1 ? status : 0;
}

/* Whether a proxy answers so for itself: for a URL without TLS, other statuses may be the
 * service's. */
static bool is_refusal(const struct way *way, int status)
{
	if (way->tls)
		return status < 200 || status > 299;
	return status == 0 || status == 403 || status == 407 || status == 502 || status == 504;
}

static bool refused(struct doctor *doctor, const struct way *way, const char *text, int status)
{
	char how[64];
	if (way->credentials && status == 407) /* they are not sent here */
		return false;
	snprintf(how, sizeof(how), status ? "answers HTTP %d" : "does not answer", status);
	doctor_say(
		doctor, DOCTOR_FAILED, "proxy",
		"the proxy %s (from %s) %s to a request for %s: it is the proxy that refuses, not "
		"the service; ask its administrator%s, or add the service's host to no_proxy",
		text, way->named.variable, how, way->service.host,
		status == 407 ? " for credentials" : "");
	return true;
}

bool doctor_proxy(struct doctor *doctor, const char *url)
{
	struct way way = {0};
	struct probe_addresses list;
	char text[CONTACT_TEXT_MAX];
	long long end = clock_ms() + DOCTOR_REACH_S * 1000LL;
	if (!find_proxy(url, &way))
		return true;
	contact_format(&way.proxy, text);
	say_waiting("asking the proxy");
	probe_resolve(&way.proxy, end, &list);
	cleanup_fd int fd = list.count ? probe_connect(&list, end) : -1;
	if (fd < 0) {
		doctor_say(
			doctor, DOCTOR_FAILED, "proxy",
			"cannot reach the proxy %s (from %s): %s; correct %s, or unset it where no "
			"proxy is needed",
			text, way.named.variable,
			list.count ? strerror(-fd) : gai_strerror(list.code), way.named.variable);
		return false;
	}
	int status = way.plain ? ask(fd, &way, url, end) : 200;
	if (way.plain && is_refusal(&way, status) && refused(doctor, &way, text, status))
		return false;
	doctor_say(doctor, DOCTOR_OK, "proxy", "requests go through the proxy %s (from %s)", text,
		   way.named.variable);
	return true;
}
