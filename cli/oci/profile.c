#include "cli/oci/profile.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/base/text.h"
#include "cli/oci/rules.h"

#define LARGEST_NUMBER 9007199254740991.0 /* of those that a double tells from the next */

__attribute__((format(printf, 2, 3))) static int fail(char **why, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (vasprintf(why, format, args) < 0)
		*why = NULL;
	va_end(args);
	return -1;
}

/* --- what is understood --- */

static bool is_among(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

static const cJSON *member(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static bool is_text(const cJSON *item, const char *text)
{
	return cJSON_IsString(item) && strcmp(item->valuestring, text) == 0;
}

/* Of a key that stands twice, each reader takes another one. */
static int check_twice(const cJSON *item, char **why)
{
	for (const cJSON *at = item->child; at; at = at->next) {
		for (const cJSON *next = at->next; cJSON_IsObject(item) && next; next = next->next)
			if (strcmp(at->string, next->string) == 0)
				return fail(why, "it has the key '" TEXT_WORD "' twice",
					    at->string);
		if (check_twice(at, why) < 0)
			return -1;
	}
	return 0;
}

/* cJSON has numbers as double. */
static int check_numbers(const cJSON *item, char **why)
{
	if (cJSON_IsNumber(item) && item->valuedouble > LARGEST_NUMBER)
		return fail(why, "a number of it is too large: it would not stay exact");
	for (const cJSON *at = item->child; at; at = at->next)
		if (check_numbers(at, why) < 0)
			return -1;
	return 0;
}

static int check_keys(const cJSON *object, const char *const *keys, const char *where, char **why)
{
	for (const cJSON *at = object->child; at; at = at->next)
		if (!is_among(at->string, keys))
			return fail(why, "the key '" TEXT_WORD "' of its %s is not known here",
				    at->string, where);
	return 0;
}

/* The action of a rule, or the default one. Not SCMP_ACT_TRACE: a tracer inside would let calls
 * through unseen. */
static int check_action(const cJSON *action, char **why)
{
	static const char *const actions[] = {ACT_ALLOW,
					      ACT_ERRNO,
					      "SCMP_ACT_LOG",
					      "SCMP_ACT_KILL",
					      "SCMP_ACT_KILL_THREAD",
					      "SCMP_ACT_KILL_PROCESS",
					      "SCMP_ACT_TRAP",
					      NULL};
	if (is_text(action, ACT_NOTIFY))
		return fail(why, "it has rules for an agent already (" ACT_NOTIFY ")");
	if (cJSON_IsString(action) && is_among(action->valuestring, actions))
		return 0;
	return fail(why, "its action '" TEXT_WORD "' is not known here",
		    cJSON_IsString(action) ? action->valuestring : "");
}

/* Docker's older profiles have one name a rule. */
static int check_names(const cJSON *rule, char **why)
{
	const cJSON *names = member(rule, "names"), *name = member(rule, "name");
	bool good = names ? cJSON_IsArray(names) && !name : cJSON_IsString(name);
	for (const cJSON *at = good && names ? names->child : NULL; at; at = at->next)
		good &= cJSON_IsString(at);
	return good ? 0 : fail(why, "a rule of it has no names");
}

static int check_rule(const cJSON *rule, char **why)
{
	static const char *const keys[] = {"names", "name",    "action",   "errnoRet", "errno",
					   "args",  "comment", "includes", "excludes", NULL};
	static const char *const conditions[] = {"args", "includes", "excludes", NULL};
	if (!cJSON_IsObject(rule))
		return fail(why, "a rule of it is not an object");
	if (check_keys(rule, keys, "rules", why) < 0 || check_names(rule, why) < 0)
		return -1;
	for (const char *const *key = conditions; *key; key++) {
		const cJSON *value = member(rule, *key);
		if (value && !cJSON_IsNull(value) && !cJSON_IsArray(value) &&
		    !cJSON_IsObject(value))
			return fail(why, "the %s of a rule of it are not understood", *key);
	}
	return check_action(member(rule, "action"), why);
}

/* Those that change nothing for an agent. */
static int check_flags(const cJSON *flags, char **why)
{
	static const char *const known[] = {"SECCOMP_FILTER_FLAG_LOG",
					    "SECCOMP_FILTER_FLAG_SPEC_ALLOW", NULL};
	if (flags && !cJSON_IsNull(flags) && !cJSON_IsArray(flags))
		return fail(why, "its flags are not a list");
	for (const cJSON *at = flags ? flags->child : NULL; at; at = at->next)
		if (!cJSON_IsString(at) || !is_among(at->valuestring, known))
			return fail(why, "its flag '" TEXT_WORD "' does not go with an agent",
				    cJSON_IsString(at) ? at->valuestring : "");
	return 0;
}

/* Some readers know other spellings, of x32 too, which is to be found. */
static int check_word(const cJSON *word, char **why)
{
	static const char *const known[] = {
		"SCMP_ARCH_X86",      "SCMP_ARCH_X86_64",      "SCMP_ARCH_X32",
		"SCMP_ARCH_ARM",      "SCMP_ARCH_AARCH64",     "SCMP_ARCH_MIPS",
		"SCMP_ARCH_MIPS64",   "SCMP_ARCH_MIPS64N32",   "SCMP_ARCH_MIPSEL",
		"SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC",
		"SCMP_ARCH_PPC64",    "SCMP_ARCH_PPC64LE",     "SCMP_ARCH_S390",
		"SCMP_ARCH_S390X",    "SCMP_ARCH_PARISC",      "SCMP_ARCH_PARISC64",
		"SCMP_ARCH_RISCV64",  "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",
		"SCMP_ARCH_SH",       "SCMP_ARCH_SHEB",        NULL};
	if (cJSON_IsString(word) && is_among(word->valuestring, known))
		return 0;
	return fail(why, "the word '" TEXT_WORD "' of its architectures is not known here",
		    cJSON_IsString(word) ? word->valuestring : "");
}

static int check_words(const cJSON *list, char **why)
{
	if (list && !cJSON_IsNull(list) && !cJSON_IsArray(list))
		return fail(why, "its architectures are not a list");
	for (const cJSON *at = list ? list->child : NULL; at; at = at->next)
		if (check_word(at, why) < 0)
			return -1;
	return 0;
}

static int check_architectures(const cJSON *profile, char **why)
{
	static const char *const keys[] = {"architecture", "subArchitectures", NULL};
	const cJSON *map = member(profile, "archMap");
	if (map && !cJSON_IsNull(map) && !cJSON_IsArray(map))
		return fail(why, "its archMap is not understood");
	for (const cJSON *at = map ? map->child : NULL; at; at = at->next) {
		const cJSON *one = member(at, "architecture");
		if (!cJSON_IsObject(at))
			return fail(why, "its archMap is not understood");
		if (check_keys(at, keys, "archMap", why) < 0 || (one && check_word(one, why) < 0) ||
		    check_words(member(at, "subArchitectures"), why) < 0)
			return -1;
	}
	return check_words(member(profile, "architectures"), why);
}

static int check_whole(const cJSON *profile, char **why)
{
	static const char *const keys[] = {
		"defaultAction", "defaultErrnoRet", "defaultErrno",     "architectures", "archMap",
		"flags",         "listenerPath",    "listenerMetadata", "syscalls",      NULL};
	static const char *const ours[] = {"listenerPath", "listenerMetadata", NULL};
	const cJSON *list = member(profile, "syscalls");
	if (!member(profile, "defaultAction") || (list && !cJSON_IsArray(list)))
		return fail(why, "it is not a seccomp profile: it has no %s",
			    list ? "list of syscalls" : "defaultAction");
	if (check_twice(profile, why) < 0 || check_numbers(profile, why) < 0 ||
	    check_architectures(profile, why) < 0 || check_keys(profile, keys, "top", why) < 0 ||
	    check_action(member(profile, "defaultAction"), why) < 0 ||
	    check_flags(member(profile, "flags"), why) < 0)
		return -1;
	for (const char *const *key = ours; *key; key++)
		if (member(profile, *key))
			return fail(why, "it has an agent already: %s", *key);
	for (const cJSON *rule = list ? list->child : NULL; rule; rule = rule->next)
		if (check_rule(rule, why) < 0)
			return -1;
	return 0;
}

/* --- what it says of a call --- */

/* Where the name is among a rule's: in its list, or the rule's own; NULL: nowhere. */
static cJSON *find_name(const cJSON *rule, const char *call)
{
	const cJSON *names = member(rule, "names");
	for (cJSON *name = names ? names->child : NULL; name; name = name->next)
		if (is_text(name, call))
			return name;
	return is_text(member(rule, "name"), call) ? (cJSON *)member(rule, "name") : NULL;
}

static bool is_extended(const cJSON *rule)
{
	return cJSON_GetArraySize(member(rule, "includes")) > 0 ||
	       cJSON_GetArraySize(member(rule, "excludes")) > 0;
}

static bool is_conditional(const cJSON *rule)
{
	return cJSON_GetArraySize(member(rule, "args")) > 0 || is_extended(rule);
}

bool profile_is_extended(const cJSON *profile)
{
	const cJSON *list = member(profile, "syscalls");
	for (const cJSON *rule = list ? list->child : NULL; rule; rule = rule->next)
		if (is_extended(rule))
			return true;
	return cJSON_GetArraySize(member(profile, "archMap")) > 0;
}

static bool allows(const cJSON *action)
{
	return is_text(action, ACT_ALLOW) || is_text(action, "SCMP_ACT_LOG");
}

enum said { DENIED, ALLOWED, UNCLEAR, CONTRARY };

/* Of several rules libseccomp takes the first; but runtimes leave out those that are as the
 * default, some by the action alone. So all have to say the same. */
static enum said what_is_said(const cJSON *profile, const char *call)
{
	const cJSON *list = member(profile, "syscalls");
	bool all = allows(member(profile, "defaultAction")), sure = false;
	size_t allowing = 0, denying = 0;
	for (const cJSON *rule = list ? list->child : NULL; rule; rule = rule->next) {
		if (!find_name(rule, call))
			continue;
		allows(member(rule, "action")) ? allowing++ : denying++;
		sure |= !is_conditional(rule);
	}
	if (allowing && denying)
		return CONTRARY;
	if (!allowing && !denying)
		return all ? ALLOWED : DENIED;
	if (!sure && all != (allowing > 0))
		return UNCLEAR;
	return allowing ? ALLOWED : DENIED;
}

static bool is_changed(const struct profile *wanted, const char *call)
{
	return wanted->opens || !rules_is_open(call);
}

static int check_call(const cJSON *profile, const char *call, char **why)
{
	enum said said = what_is_said(profile, call);
	if (said == CONTRARY)
		return fail(why, "its rules for %s contradict each other", call);
	if (said == UNCLEAR)
		return fail(why,
			    "its rules for %s have conditions, and what they allow would not be "
			    "seen",
			    call);
	return 0;
}

static int check_calls(const cJSON *profile, const struct profile *wanted, char **why)
{
	const char *call;
	for (size_t i = 0; (call = rules_call(i)); i++)
		if (is_changed(wanted, call) && check_call(profile, call, why) < 0)
			return -1;
	if (check_call(profile, "socketcall", why) < 0)
		return -1;
	if (what_is_said(profile, "connect") == DENIED)
		return fail(why, "it denies connect, and with it every tunnel");
	return 0;
}

/* --- changing it --- */

static void drop_name(cJSON *list, const char *call)
{
	for (cJSON *rule = list->child, *next; rule; rule = next) {
		cJSON *names = (cJSON *)member(rule, "names"), *name;
		next = rule->next;
		while (names && (name = find_name(rule, call)))
			cJSON_Delete(cJSON_DetachItemViaPointer(names, name));
		if (names ? cJSON_GetArraySize(names) == 0 : find_name(rule, call) != NULL)
			cJSON_Delete(cJSON_DetachItemViaPointer(list, rule));
	}
}

/* x32's calls have numbers of their own, which nobody sees. */
static void drop_x32(cJSON *list)
{
	for (cJSON *item = list ? list->child : NULL, *next; item; item = next) {
		next = item->next;
		if (is_text(item, "SCMP_ARCH_X32"))
			cJSON_Delete(cJSON_DetachItemViaPointer(list, item));
	}
}

static void drop_architectures(cJSON *profile)
{
	const cJSON *map = member(profile, "archMap");
	drop_x32((cJSON *)member(profile, "architectures"));
	for (const cJSON *entry = map ? map->child : NULL; entry; entry = entry->next)
		drop_x32((cJSON *)member(entry, "subArchitectures"));
}

/* How socketcall fails where the base denies it: a rule that is as the default is left out. */
static int socketcall_error(const cJSON *profile)
{
	if (what_is_said(profile, "socketcall") != DENIED)
		return 0;
	const cJSON *number = member(profile, "defaultErrnoRet");
	return is_text(member(profile, "defaultErrno"), "ENOSYS") ||
			       (cJSON_IsNumber(number) && number->valuedouble == ENOSYS)
		       ? EOPNOTSUPP
		       : ENOSYS;
}

/* Our rules, taken out of what the base has, and in front of it. */
static cJSON *make_rules(cJSON *profile, const struct profile *wanted, cJSON *list)
{
	const char *call;
	const bool all = allows(member(profile, "defaultAction"));
	cJSON *made = cJSON_CreateArray();
	bool whole = made && rules_add_socketcall(made, socketcall_error(profile));
	drop_name(list, "socketcall");
	for (size_t i = 0; whole && (call = rules_call(i)); i++) {
		if (!is_changed(wanted, call) || what_is_said(profile, call) == DENIED)
			continue;
		drop_name(list, call);
		whole = rules_add(made, i, all);
	}
	if (whole)
		return made;
	cJSON_Delete(made);
	return NULL;
}

int profile_change(cJSON *profile, const struct profile *wanted, char **why)
{
	*why = NULL;
	if (check_whole(profile, why) < 0 || check_calls(profile, wanted, why) < 0)
		return -1;
	cJSON *list = (cJSON *)member(profile, "syscalls");
	if (!list)
		list = cJSON_AddArrayToObject(profile, "syscalls");
	cJSON *made = list ? make_rules(profile, wanted, list) : NULL;
	if (!made)
		return -1;
	for (cJSON *rule; (rule = cJSON_DetachItemFromArray(list, 0));)
		cJSON_AddItemToArray(made, rule);
	cJSON_ReplaceItemInObjectCaseSensitive(profile, "syscalls", made);
	drop_architectures(profile);
	return cJSON_AddStringToObject(profile, "listenerPath", wanted->socket) &&
			       cJSON_AddStringToObject(profile, "listenerMetadata",
						       wanted->metadata)
		       ? 0
		       : -1;
}

cJSON *profile_make(const struct profile *wanted)
{
#if defined(__x86_64__)
	static const char *const architectures[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86"};
#else
	static const char *const architectures[] = {"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"};
#endif
	char *why = NULL;
	cJSON *profile = cJSON_CreateObject();
	cJSON *both = cJSON_CreateStringArray(architectures, 2);
	if (profile && both && cJSON_AddStringToObject(profile, "defaultAction", ACT_ALLOW) &&
	    cJSON_AddItemToObject(profile, "architectures", both) &&
	    profile_change(profile, wanted, &why) == 0)
		return profile;
	cJSON_free(why);
	cJSON_Delete(profile);
	return NULL;
}
