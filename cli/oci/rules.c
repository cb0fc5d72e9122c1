#include "cli/oci/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/*
 * libseccomp does not order rules of one call that overlap and say different things. So what is
 * allowed is the exact complement of what is seen. Of an int only the lower half of the register
 * counts, the caller may have anything in the upper half: hence MASKED_EQ, and a complement by
 * bits.
 */

#define INT_BITS   32
#define VALUES_MAX 3

/* An int argument that has one of these values. */
struct values {
	unsigned arg;
	size_t count;
	uint32_t values[VALUES_MAX];
};

enum shape {
	ALL,     /* every call */
	OPTIONS, /* the option `values` of level SOL_SOCKET */
	READS,   /* an open for reading; flags are in values.arg */
	DATAGRAM,
	SENDS, /* MSG_FASTOPEN fails; flags are in values.arg */
};

static const struct call {
	const char *name;
	enum shape shape;
	const char *action;
	int error;
	struct values values;
} calls[] = {
	{"connect", ALL, ACT_NOTIFY, 0, {0}},
	{"bind", ALL, ACT_NOTIFY, 0, {0}},
	{"listen", ALL, ACT_NOTIFY, 0, {0}},
	{"accept", ALL, ACT_NOTIFY, 0, {0}},
	{"accept4", ALL, ACT_NOTIFY, 0, {0}},
	{"landlock_restrict_self", ALL, ACT_NOTIFY, 0, {0}},
	{"getsockopt", OPTIONS, ACT_NOTIFY, 0, {2, 1, {SO_ERROR}}},
	/* which socket of a REUSEPORT group gets a connection */
	{"setsockopt",
	 OPTIONS,
	 ACT_NOTIFY,
	 0,
	 {2, 3, {SO_INCOMING_CPU, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF}}},
	{"sendto", DATAGRAM, ACT_NOTIFY, 0, {3, 0, {0}}},
	{"sendmsg", SENDS, ACT_ERRNO, EOPNOTSUPP, {2, 0, {0}}},
	{"sendmmsg", SENDS, ACT_ERRNO, EOPNOTSUPP, {3, 0, {0}}},
	/* the hosts file, and the shim's question */
	{"open", READS, ACT_NOTIFY, 0, {1, 0, {0}}},
	{"openat", READS, ACT_NOTIFY, 0, {2, 0, {0}}},
	/* rings connect unseen */
	{"io_uring_setup", ALL, ACT_ERRNO, ENOSYS, {0}},
	{"io_uring_enter", ALL, ACT_ERRNO, ENOSYS, {0}},
	{"io_uring_register", ALL, ACT_ERRNO, ENOSYS, {0}},
};

#define COUNT (sizeof(calls) / sizeof(*calls))

const char *rules_call(size_t index)
{
	return index < COUNT ? calls[index].name : NULL;
}

bool rules_is_open(const char *call)
{
	return strcmp(call, "open") == 0 || strcmp(call, "openat") == 0;
}

/* --- one rule --- */

/* A list of rules, and whether it is whole. */
struct list {
	cJSON *list;
	bool allows, failed; /* allows: what is allowed has rules, too */
};

/* The rule's list of conditions; NULL: no memory, or (allowed by default) none is needed. */
static cJSON *begin(struct list *to, const char *call, const char *action, int error)
{
	if (!to->allows && strcmp(action, ACT_ALLOW) == 0)
		return NULL;
	cJSON *rule = cJSON_CreateObject(), *args = NULL;
	bool whole = rule &&
		     cJSON_AddItemToObject(rule, "names", cJSON_CreateStringArray(&call, 1)) &&
		     cJSON_AddStringToObject(rule, "action", action) &&
		     (!error || cJSON_AddNumberToObject(rule, "errnoRet", error)) &&
		     (args = cJSON_AddArrayToObject(rule, "args"));
	if (whole && cJSON_AddItemToArray(to->list, rule))
		return args;
	cJSON_Delete(rule);
	to->failed = true;
	return NULL;
}

static void where(struct list *to, cJSON *args, unsigned arg, const char *op, uint64_t value,
		  uint64_t two)
{
	cJSON *object = args ? cJSON_CreateObject() : NULL;
	if (!args)
		return;
	if (cJSON_AddNumberToObject(object, "index", arg) &&
	    cJSON_AddNumberToObject(object, "value", (double)value) &&
	    cJSON_AddNumberToObject(object, "valueTwo", (double)two) &&
	    cJSON_AddStringToObject(object, "op", op) && cJSON_AddItemToArray(args, object))
		return;
	cJSON_Delete(object);
	to->failed = true;
}

static void where_bits(struct list *to, cJSON *args, unsigned arg, uint32_t mask, uint32_t bits)
{
	where(to, args, arg, "SCMP_CMP_MASKED_EQ", mask, bits);
}

/* --- shapes --- */

static bool begins_one(const struct values *values, uint32_t mask, uint32_t bits)
{
	for (size_t i = 0; i < values->count; i++)
		if ((values->values[i] & mask) == bits)
			return true;
	return false;
}

/* Allow what has none of the values: each number leaves the last of them at some bit. */
static void allow_others(struct list *to, const char *call, const struct values *values)
{
	for (size_t i = 0; i < values->count; i++)
		for (unsigned bit = INT_BITS; bit-- > 0;) {
			uint32_t mask = UINT32_MAX << bit;
			uint32_t bits = (values->values[i] ^ 1u << bit) & mask;
			bool twice = false;
			for (size_t before = 0; before < i; before++)
				twice |= ((values->values[before] ^ 1u << bit) & mask) == bits;
			if (!twice && !begins_one(values, mask, bits))
				where_bits(to, begin(to, call, ACT_ALLOW, 0), values->arg, mask,
					   bits);
		}
}

static void add_options(struct list *to, const struct call *call)
{
	static const struct values level = {1, 1, {SOL_SOCKET}};
	for (size_t i = 0; i < call->values.count; i++) {
		cJSON *args = begin(to, call->name, call->action, 0);
		where_bits(to, args, level.arg, UINT32_MAX, SOL_SOCKET);
		where_bits(to, args, call->values.arg, UINT32_MAX, call->values.values[i]);
	}
	allow_others(to, call->name, &level);
	allow_others(to, call->name, &call->values);
}

static void add_reads(struct list *to, const struct call *call)
{
	const unsigned flags = call->values.arg;
	where_bits(to, begin(to, call->name, call->action, 0), flags, O_ACCMODE, O_RDONLY);
	where_bits(to, begin(to, call->name, ACT_ALLOW, 0), flags, O_WRONLY, O_WRONLY);
	where_bits(to, begin(to, call->name, ACT_ALLOW, 0), flags, O_RDWR, O_RDWR);
}

/* sendto with an address, however short: libseccomp mixes up conditions that follow this one. */
static void add_datagram(struct list *to, const struct call *call)
{
	const unsigned flags = call->values.arg, address = 4;
	cJSON *args = begin(to, call->name, call->action, 0);
	where_bits(to, args, flags, MSG_FASTOPEN, 0);
	where(to, args, address, "SCMP_CMP_NE", 0, 0);
	args = begin(to, call->name, ACT_ERRNO, EOPNOTSUPP);
	where_bits(to, args, flags, MSG_FASTOPEN, MSG_FASTOPEN);
	where(to, args, address, "SCMP_CMP_NE", 0, 0);
	where(to, begin(to, call->name, ACT_ALLOW, 0), address, "SCMP_CMP_EQ", 0, 0);
}

static void add_sends(struct list *to, const struct call *call)
{
	const unsigned flags = call->values.arg;
	where_bits(to, begin(to, call->name, call->action, call->error), flags, MSG_FASTOPEN,
		   MSG_FASTOPEN);
	where_bits(to, begin(to, call->name, ACT_ALLOW, 0), flags, MSG_FASTOPEN, 0);
}

bool rules_add(cJSON *list, size_t index, bool allowed_by_default)
{
	const struct call *call = &calls[index];
	struct list to = {.list = list, .allows = !allowed_by_default};
	switch (call->shape) {
	case ALL:
		begin(&to, call->name, call->action, call->error);
		break;
	case OPTIONS:
		add_options(&to, call);
		break;
	case READS:
		add_reads(&to, call);
		break;
	case DATAGRAM:
		add_datagram(&to, call);
		break;
	case SENDS:
		add_sends(&to, call);
		break;
	}
	return !to.failed;
}

bool rules_add_socketcall(cJSON *list, int error)
{
	struct list to = {.list = list};
	begin(&to, "socketcall", error ? ACT_ERRNO : ACT_NOTIFY, error);
	return !to.failed;
}
