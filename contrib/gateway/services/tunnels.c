#include <string.h>

#include "contrib/gateway/base/cleanup.h"
#include "contrib/gateway/relay/tunnel_life.h"
#include "contrib/gateway/services/answer.h"
#include "contrib/gateway/services/body.h"
#include "contrib/gateway/services/handlers.h"
#include "contrib/gateway/services/pages.h"
#include "contrib/gateway/services/tunnel_json.h"

/* /v2/tunnels: Globus Transfer's tunnels. */

#define LIFETIME_DEFAULT 360             /* minutes */
#define LIFETIME_MAX     (366 * 24 * 60) /* minutes */

#define ATTRIBUTES "data/attributes/"

static struct answer not_found(const struct request *request)
{
	return answer_error(request, 404, "NotFound", "There is no such tunnel");
}

/* --- fields that creating and updating share --- */

static void read_label(struct body *body, struct tunnel *tunnel)
{
	const char *label;

	if (!body_text(body, ATTRIBUTES "label", OPTIONAL, LABEL_MAX, &label))
		return;
	strcpy(tunnel->label, label);
	tunnel->labelled = true;
}

/* A host as contact.h has it; an IPv6 address may come in brackets. */
static bool read_host(const char *text, struct contact *contact)
{
	char plain[CONTACT_HOST_MAX + 3];
	size_t len = strlen(text);
	bool brackets = len > 2 && text[0] == '[' && text[len - 1] == ']';
	union address address;

	if (len >= sizeof(plain))
		return false;
	strcpy(plain, text + brackets);
	if (brackets)
		plain[len - 2] = '\0';
	if (contact_host(plain, contact->host) < 0)
		return false;
	/* what has a ':' and is no address is not a name either */
	return !strchr(contact->host, ':') || address_parse(contact->host, 1, &address) == 0;
}

/* The listener contact: true when the body has one; it has host and port, or neither. */
static bool read_listener(struct body *body, struct contact *contact)
{
	static const char host_path[] = ATTRIBUTES "listener_ip_address",
			  port_path[] = ATTRIBUTES "listener_port";
	const char *host;
	int64_t port;
	bool has_host = body_text(body, host_path, OPTIONAL, CONTACT_HOST_MAX + 2, &host);
	bool has_port = body_number(body, port_path, OPTIONAL, 1, UINT16_MAX, &port);

	if (body_failed(body))
		return false;
	if (has_host && !read_host(host, contact))
		body_error(body, host_path, "value_error", "Input should be an address or a name");
	if (has_host && !has_port)
		body_error(body, port_path, "missing", "Field required with listener_ip_address");
	if (has_port && !has_host)
		body_error(body, host_path, "missing", "Field required with listener_port");
	if (has_port)
		contact->port = (uint16_t)port;
	return has_host && has_port;
}

static struct answer no_port(const struct request *request)
{
	return answer_error(request, 503, "ServiceUnavailable",
			    "The access point cannot open another port");
}

/* --- POST --- */

static void read_side(struct gateway *gateway, struct body *body, const char *id_path,
		      const char *type_path, uuid_text id)
{
	const char *type;

	if (body_text(body, type_path, OPTIONAL, 64, &type))
		body_constant(body, type_path, "StreamAccessPoint");
	if (body_uuid(body, id_path, REQUIRED, id) && !store_access_point(&gateway->store, id))
		body_error(body, id_path, "value_error", "There is no such stream access point");
}

/* What the body asks for; all that the server decides is left as it is. */
static void read_tunnel(struct gateway *gateway, struct body *body, struct tunnel *tunnel)
{
	body_constant(body, "data/type", "Tunnel");
	body_uuid(body, ATTRIBUTES "submission_id", REQUIRED, tunnel->submission_id);
	read_label(body, tunnel);
	tunnel->lifetime_mins = LIFETIME_DEFAULT;
	body_number(body, ATTRIBUTES "lifetime_mins", OPTIONAL, 1, LIFETIME_MAX,
		    &tunnel->lifetime_mins);
	body_bool(body, ATTRIBUTES "restartable", OPTIONAL, &tunnel->restartable);
	read_side(gateway, body, "data/relationships/initiator/data/id",
		  "data/relationships/initiator/data/type", tunnel->access_point[SIDE_INITIATOR]);
	read_side(gateway, body, "data/relationships/listener/data/id",
		  "data/relationships/listener/data/type", tunnel->access_point[SIDE_LISTENER]);
}

static struct answer create(struct gateway *gateway, const struct request *request,
			    const struct tunnel *wanted, const struct contact *listener)
{
	struct tunnel *tunnel = store_add_tunnel(&gateway->store);

	if (!tunnel)
		return answer_error(request, 409, "LimitExceeded", "There are too many tunnels");
	tunnel->labelled = wanted->labelled;
	strcpy(tunnel->label, wanted->label);
	strcpy(tunnel->submission_id, wanted->submission_id);
	strcpy(tunnel->owner, request->token->identity);
	tunnel->restartable = wanted->restartable;
	tunnel->lifetime_mins = wanted->lifetime_mins;
	tunnel->created = epoch_now();
	for (int side = 0; side < SIDES; side++)
		strcpy(tunnel->access_point[side], wanted->access_point[side]);
	tunnel_started(gateway, tunnel);
	if (listener && tunnel_set_listener(gateway, tunnel, listener) < 0) {
		store_remove_tunnel(&gateway->store, tunnel);
		return no_port(request);
	}
	return answer_data(201, tunnel_json(request, tunnel));
}

struct answer tunnels_create(struct gateway *gateway, const struct request *request)
{
	struct body body;
	struct tunnel wanted = {0};
	struct contact listener = {0};
	struct answer answer;
	const struct tunnel *same;
	bool has_listener;

	body_init(&body, request);
	read_tunnel(gateway, &body, &wanted);
	has_listener = read_listener(&body, &listener);
	same = store_tunnel_by_submission(&gateway->store, request->token->identity,
					  wanted.submission_id);
	if (body_failed(&body))
		answer = body_answer(&body);
	else if (same) /* a retry of a request that was answered, but not heard */
		answer = answer_data(201, tunnel_json(request, same));
	else
		answer = create(gateway, request, &wanted, has_listener ? &listener : NULL);
	body_finish(&body);
	return answer;
}

/* --- GET --- */

struct answer tunnels_list(struct gateway *gateway, const struct request *request)
{
	struct page page;
	struct answer answer;
	cJSON *data;

	if (!page_read(request, &page, &answer))
		return answer;
	data = cJSON_CreateArray();
	for (size_t i = 0; i < gateway->store.tunnel_count; i++)
		cJSON_AddItemToArray(data, tunnel_json(request, gateway->store.tunnels[i]));
	return page_answer(gateway, request, &page, data);
}

struct answer tunnels_show(struct gateway *gateway, const struct request *request)
{
	const struct tunnel *tunnel = store_tunnel(&gateway->store, request->parts[0]);

	return tunnel ? answer_data(200, tunnel_json(request, tunnel)) : not_found(request);
}

/* The event passes the filters of the query. */
static bool is_wanted(const struct request *request, const struct event *event)
{
	const char *code = request_query(request, "code_name"),
		   *is_error = request_query(request, "is_error");

	if (code && strcmp(code, event_code_name(event)) != 0)
		return false;
	return !is_error ||
	       (strcasecmp(is_error, "true") == 0) == (event->code == EVENT_LISTENER_FAILED);
}

struct answer tunnels_events(struct gateway *gateway, const struct request *request)
{
	const struct tunnel *tunnel = store_tunnel(&gateway->store, request->parts[0]);
	struct page page;
	struct answer answer;
	cJSON *data;

	if (!tunnel)
		return not_found(request);
	if (!page_read(request, &page, &answer) || !filter_check(request, "is_error", &answer))
		return answer;
	if (request_query(request, "code_name") && request_query(request, "is_error"))
		return body_answer_elsewhere("query", "is_error", "value_error",
					     "It cannot be used with code_name");
	data = cJSON_CreateArray();
	for (const struct event *event = tunnel->events; event; event = event->next) {
		if (is_wanted(request, event))
			cJSON_AddItemToArray(data, event_json(event));
	}
	return page_answer(gateway, request, &page, data);
}

/* --- PATCH --- */

struct change {
	struct tunnel label; /* only its label counts */
	struct contact listener;
	bool has_listener, stop;
};

static void read_change(struct body *body, struct change *change)
{
	const char *state;

	*change = (struct change){0};
	body_constant(body, "data/type", "Tunnel");
	read_label(body, &change->label);
	change->has_listener = read_listener(body, &change->listener);
	change->stop = body_text(body, ATTRIBUTES "state", OPTIONAL, 64, &state);
	if (change->stop)
		body_constant(body, ATTRIBUTES "state", "STOPPING");
}

static struct answer update(struct gateway *gateway, const struct request *request,
			    struct tunnel *tunnel, const struct change *change)
{
	if (change->has_listener && tunnel->state == TUNNEL_STOPPED)
		return answer_error(request, 409, "Conflict", "The tunnel has been stopped");
	if (change->has_listener && !change->stop &&
	    tunnel_set_listener(gateway, tunnel, &change->listener) < 0)
		return no_port(request);
	if (change->label.labelled) {
		strcpy(tunnel->label, change->label.label);
		tunnel->labelled = true;
		gateway->store.changed = true;
	}
	if (change->stop && tunnel->state != TUNNEL_STOPPED)
		tunnel_stop(gateway, tunnel, "The tunnel was stopped on request");
	return answer_data(200, tunnel_json(request, tunnel));
}

struct answer tunnels_update(struct gateway *gateway, const struct request *request)
{
	struct tunnel *tunnel = store_tunnel(&gateway->store, request->parts[0]);
	struct body body;
	struct change change;
	struct answer answer;

	if (!tunnel)
		return not_found(request);
	body_init(&body, request);
	read_change(&body, &change);
	answer =
		body_failed(&body) ? body_answer(&body) : update(gateway, request, tunnel, &change);
	body_finish(&body);
	return answer;
}

/* --- DELETE --- */

struct answer tunnels_delete(struct gateway *gateway, const struct request *request)
{
	struct tunnel *tunnel = store_tunnel(&gateway->store, request->parts[0]);

	if (!tunnel)
		return not_found(request);
	if (tunnel->state != TUNNEL_STOPPED)
		return answer_error(request, 409, "Conflict",
				    "The tunnel must be stopped before it is deleted");
	store_remove_tunnel(&gateway->store, tunnel);
	return answer_data(200, NULL);
}
