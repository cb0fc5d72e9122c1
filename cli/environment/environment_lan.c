#include "cli/environment/environment_lan.h"

#include <stdio.h>

#include "cli/base/cleanup.h"
#include "cli/base/patience.h"
#include "cli/base/say.h"

char *environment_lan_words(enum lan_kind kind, const char *access_point, const char *why)
{
	char *words = NULL;
	int n = -1;
	switch (kind) {
	case LAN_OURS:
		n = asprintf(&words, "access point %s speaks LAN authentication v1", access_point);
		break;
	case LAN_OPEN:
		n = asprintf(&words,
			     "access point %s is Globus's own and requires no LAN authentication",
			     access_point);
		break;
	case LAN_REQUIRED:
		n = asprintf(&words,
			     "access point %s requires Globus's own LAN authentication, which is "
			     "not published",
			     access_point);
		break;
	case LAN_UNKNOWN:
		n = asprintf(&words,
			     "access point %s is Globus's own, and whether it requires LAN "
			     "authentication could not be found out (%s)",
			     access_point, why ? why : "no reason given");
		break;
	}
	return n < 0 ? NULL : words;
}

/* Who is let in where nobody has to prove anything. */
static const char *exposed(const struct environment_lan *lan)
{
	return lan->listener ? "; then everybody who can reach the program's port can connect to it"
			     : "";
}

static int refuse(struct cli *cli, const struct environment_lan *lan, const char *words)
{
	if (lan->kind == LAN_REQUIRED)
		return failure_set(
			&cli->failure, STATUS_FAILED,
			"%s; ask the administrator of endpoint %s to turn off lan_secret_required, "
			"or run the program with Globus's own tools; nothing was changed",
			words, lan->endpoint);
	return failure_set(&cli->failure, STATUS_FAILED,
			   "%s; to go on without authentication on the LAN, add --insecure%s%s",
			   words, lan->kind == LAN_UNKNOWN ? " (it fails if one is required)" : "",
			   exposed(lan));
}

int environment_lan_check(struct cli *cli, struct environment_lan *lan)
{
	cleanup_free char *why = NULL, *words = NULL;
	if (gcs_lan_kind(cli, lan->endpoint, lan->access_point, &lan->kind, &why) < 0)
		return failure_prefix(&cli->failure,
				      "the access point could not be identified, so nothing was "
				      "changed: ");
	if (lan->kind == LAN_OURS)
		return 0;
	if (patience_gives_up(0))
		return patience_fail(&cli->failure, "; nothing was changed");
	words = environment_lan_words(lan->kind, lan->access_point, why);
	if (!words)
		return failure_memory(&cli->failure);
	int login = cli->failure.status;
	cli->failure.status = 0;
	if (login && !lan->insecure)
		return failure_set(&cli->failure, login, "%s; nothing was changed", words);
	if (lan->kind == LAN_REQUIRED || !lan->insecure)
		return refuse(cli, lan, words);
	say_warning("the LAN connection for this tunnel is not authenticated: %s%s", words,
		    exposed(lan));
	return 0;
}
