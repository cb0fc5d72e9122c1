#include "contrib/gateway/services/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "contrib/gateway/base/cleanup.h"
#include "contrib/gateway/base/log.h"
#include "contrib/gateway/services/answer.h"
#include "contrib/gateway/services/routes.h"

struct http {
	struct gateway *gateway;
	struct MHD_Daemon *daemon;
	struct watch watch;
	struct timer timer; /* what libmicrohttpd wants to be called for */
	struct later run_soon;
	bool closing; /* what is answered is sent, nothing else is taken */
};

/* What libmicrohttpd keeps for us from the first line of a request to the end of its answer. */
struct exchange {
	struct request request;
	struct answer answer;
	struct http *http;
	struct save_waiter waiter;
	bool answered;
};

/* --- libmicrohttpd on our loop --- */

static void run(struct http *http)
{
	struct loop *loop = http->gateway->loop;
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(http->daemon);
	loop_disarm(loop, &http->timer);
	if (MHD_get_timeout(http->daemon, &ms) != MHD_YES)
		return;
	if (ms == 0)
		loop_later(loop, &http->run_soon);
	else
		loop_arm(loop, &http->timer, loop_now(loop) + (int64_t)ms);
}

static void on_events(struct watch *watch, uint32_t events)
{
	run(container_of(watch, struct http, watch));
}

static void on_timer(struct timer *timer)
{
	run(container_of(timer, struct http, timer));
}

static void on_soon(struct later *later)
{
	run(container_of(later, struct http, run_soon));
}

/* --- answering --- */

static struct MHD_Response *text_response(char *text, const char *type)
{
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);

	if (!response)
		free(text);
	else
		MHD_add_response_header(response, "Content-Type", type);
	return response;
}

static struct MHD_Response *make_response(struct answer *answer)
{
	char *text = answer->json ? cJSON_PrintUnformatted(answer->json) : NULL;

	if (text)
		return text_response(text, "application/json");
	if (answer->text)
		return text_response(steal_pointer(answer->text), "text/plain; charset=utf-8");
	return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
	struct answer *answer = &exchange->answer;
	struct MHD_Response *response = make_response(answer);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	if (answer->location)
		MHD_add_response_header(response, "Location", answer->location);
	if (answer->authenticate)
		MHD_add_response_header(response, "WWW-Authenticate", answer->authenticate);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	result = MHD_queue_response(exchange->request.connection, answer->status, response);
	MHD_destroy_response(response);
	log_detail("%s %s: %u", exchange->request.method, exchange->request.path, answer->status);
	return result;
}

static void saved(struct save_waiter *waiter, int error)
{
	struct exchange *exchange = container_of(waiter, struct exchange, waiter);
	struct http *http = exchange->http;

	if (error) {
		answer_finish(&exchange->answer);
		exchange->answer = answer_error(&exchange->request, 500, "InternalError",
						"The state of the gateway could not be stored");
	}
	MHD_resume_connection(exchange->request.connection);
	loop_later(http->gateway->loop, &http->run_soon);
}

/* The request is complete: answer it now, or once the store is saved. */
static enum MHD_Result complete(struct exchange *exchange)
{
	struct gateway *gateway = exchange->http->gateway;

	exchange->answer = routes_dispatch(gateway, &exchange->request);
	exchange->answered = true;
	if (!gateway->store.changed)
		return send_answer(exchange);
	MHD_suspend_connection(exchange->request.connection);
	exchange->waiter.saved = saved;
	saver_save(gateway->saver, &exchange->waiter);
	return MHD_YES;
}

/* --- reading --- */

static void free_exchange(struct exchange *exchange)
{
	struct request *request = &exchange->request;

	if (request->body)
		wipe(request->body, request->body_len);
	free(request->body);
	free(request->method);
	free(request->path);
	answer_finish(&exchange->answer);
	free(exchange);
}

static struct exchange *new_exchange(struct http *http, struct MHD_Connection *connection,
				     const char *method, const char *path)
{
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	exchange->http = http;
	exchange->request.connection = connection;
	exchange->request.method = strdup(method);
	exchange->request.path = strdup(path);
	exchange->request.body = calloc(1, 1);
	if (exchange->request.method && exchange->request.path && exchange->request.body)
		return exchange;
	free_exchange(exchange);
	return NULL;
}

static enum MHD_Result take_body(struct request *request, const char *data, size_t *len)
{
	char *body;

	if (request->body_len + *len > HTTP_BODY_MAX)
		return MHD_NO; /* chunked and without end: hang up */
	body = realloc(request->body, request->body_len + *len + 1);
	if (!body)
		return MHD_NO;
	memcpy(body + request->body_len, data, *len);
	request->body = body;
	request->body_len += *len;
	body[request->body_len] = '\0';
	*len = 0;
	return MHD_YES;
}

static bool too_large(const struct request *request)
{
	const char *length = request_header(request, "Content-Length");

	return length && strtoull(length, NULL, 10) > HTTP_BODY_MAX;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
				  const char *path, const char *method, const char *version,
				  const char *data, size_t *len, void **state)
{
	struct exchange *exchange = *state;
	const struct http *http = context;

	if (http->closing && !(exchange && exchange->answered))
		return MHD_NO;
	if (!exchange) { /* its header is complete */
		*state = exchange = new_exchange(context, connection, method, path);
		if (!exchange || !too_large(&exchange->request))
			return exchange ? MHD_YES : MHD_NO;
		exchange->answer = answer_error(&exchange->request, 413, "RequestTooLarge",
						"The body of the request is too large");
		exchange->answered = true;
		return send_answer(exchange);
	}
	if (*len > 0)
		return take_body(&exchange->request, data, len);
	return exchange->answered ? send_answer(exchange) : complete(exchange);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode code)
{
	if (*state)
		free_exchange(*state);
	*state = NULL;
}

static void __attribute__((format(printf, 2, 0)))
on_log(void *context, const char *format, va_list args)
{
	char line[256];

	vsnprintf(line, sizeof(line), format, args);
	line[strcspn(line, "\n")] = '\0';
	log_detail("http: %s", line);
}

/* --- */

static struct MHD_Daemon *start_daemon(struct http *http, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0,
				NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log,
				NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED,
				on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT,
				(unsigned int)HTTP_CLIENTS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				(unsigned int)HTTP_IDLE, MHD_OPTION_END);
}

static int watch_daemon(struct http *http)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);

	return info ? loop_watch(http->gateway->loop, &http->watch, info->epoll_fd, EPOLLIN)
		    : -ENOSYS;
}

struct http *http_create(struct gateway *gateway, int fd)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return NULL;
	http->gateway = gateway;
	http->watch = (struct watch){.ready = on_events, .fd = -1};
	http->timer.fire = on_timer;
	http->run_soon.run = on_soon;
	http->daemon = start_daemon(http, fd);
	if (!http->daemon || watch_daemon(http) < 0) {
		if (http->daemon)
			MHD_stop_daemon(http->daemon);
		free(http);
		return NULL;
	}
	return http;
}

void http_destroy(struct http *http)
{
	struct loop *loop;

	if (!http)
		return;
	loop = http->gateway->loop;
	http->closing = true;
	MHD_run(http->daemon); /* send what was just answered */
	loop_forget(loop, &http->watch);
	loop_disarm(loop, &http->timer);
	loop_cancel(loop, &http->run_soon);
	MHD_stop_daemon(http->daemon);
	free(http);
}
