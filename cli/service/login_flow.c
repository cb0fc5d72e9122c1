#include "cli/service/login_flow.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/patience.h"
#include "cli/base/say.h"
#include "cli/service/client.h"
#include "cli/service/json.h"
#include "cli/service/loopback.h"
#include "cli/service/pkce.h"
#include "cli/service/tokens.h"

#define BROWSER_WAIT_S 300
#define PASTE_PAGE     "/v2/web/auth-code"

extern char **environ;

/* What one login needs until its code is redeemed. */
struct flow {
	struct pkce pkce;
	char *issuer, *redirect, *address;
	int listener; /* -1: the code is pasted */
	char code[LOOPBACK_CODE_MAX];
};

static bool is_set(const char *name)
{
	const char *value = getenv(name);
	return value && *value;
}

bool login_flow_has_browser(void)
{
	return !is_set("SSH_CONNECTION") &&
	       (is_set("BROWSER") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY"));
}

static int make_address(struct cli *cli, struct flow *flow, const struct credentials *credentials,
			const struct login_wish *wish)
{
	static const struct demands none = {0};
	const struct demands *demands = wish->demands ? wish->demands : &none;
	bool session = demands->identities || demands->policies || demands->domains || demands->mfa;
	const char *pairs[] = {
		"client_id",
		credentials->client,
		"redirect_uri",
		flow->redirect,
		"scope",
		wish->scopes,
		"state",
		flow->pkce.state,
		"response_type",
		"code",
		"code_challenge",
		flow->pkce.challenge,
		"code_challenge_method",
		"S256",
		"access_type",
		"offline",
		"session_message",
		session || demands->prompt ? demands->message : NULL,
		"session_required_identities",
		demands->identities,
		"session_required_policies",
		demands->policies,
		"session_required_single_domain",
		demands->domains,
		"session_required_mfa",
		demands->mfa ? "true" : NULL,
		"prompt",
		demands->prompt ? demands->prompt
		: session       ? "login"
				: NULL,
		NULL,
	};
	cleanup_free char *form = http_form(cli->http, pairs);
	if (!form ||
	    asprintf(&flow->address, "%s/v2/oauth2/authorize?%s", flow->issuer, form) < 0) {
		flow->address = NULL;
		return failure_memory(&cli->failure);
	}
	return 0;
}

/* Run $BROWSER or xdg-open, apart from our terminal. */
static bool open_browser(const char *address)
{
	const char *program = is_set("BROWSER") ? getenv("BROWSER") : "xdg-open";
	char *argv[] = {(char *)program, (char *)address, NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;
	if (posix_spawn_file_actions_init(&actions) != 0)
		return false;
	for (int fd = 0; fd < 3; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", 2, 0);
	posix_spawnattr_t attributes;
	sigset_t defaults;
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE); /* which we ignore */
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
	int err = posix_spawnp(&pid, program, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (err)
		return false;
	/* Openers end at once; a browser in the foreground keeps running, which is fine too. */
	usleep(200 * 1000);
	return waitpid(pid, &status, WNOHANG) == 0 ||
	       (WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Whether to go on waiting for the user. */
static bool may_wait(void)
{
	return !patience_gives_up(0) && patience_left_ms(1);
}

static int not_read(struct cli *cli, const struct terminal *terminal, int err)
{
	/* What comes next belongs on a line of its own. */
	fputc('\n', terminal->out);
	fflush(terminal->out);
	if (err == -EINTR && patience_gives_up(0))
		return patience_fail(&cli->failure, "");
	const char *why = err == -EINTR     ? "no code was entered in time"
			  : err == -ENODATA ? "no code was entered"
					    : "the code cannot be read";
	return failure_set(&cli->failure, STATUS_LOGIN, "%s; run on a terminal: %s", why,
			   cli_login_command(cli));
}

static int read_code(struct cli *cli, struct flow *flow, const struct terminal *terminal)
{
	fprintf(terminal->out, "Enter the code: ");
	fflush(terminal->out);
	int err = terminal_read_line(terminal, flow->code, sizeof(flow->code), may_wait);
	if (err)
		return not_read(cli, terminal, err);
	char *start = flow->code + strspn(flow->code, " \t\r");
	size_t len = strcspn(start, " \t\r");
	memmove(flow->code, start, len);
	flow->code[len] = '\0';
	return len ? 0 : not_read(cli, terminal, -ENODATA);
}

static int catch_code(struct cli *cli, struct flow *flow)
{
	say_waiting("waiting for the login in the browser");
	int err = loopback_catch(flow->listener, flow->pkce.state, BROWSER_WAIT_S, flow->code);
	say_waiting(NULL);
	if (err == -EACCES)
		return failure_set(&cli->failure, STATUS_LOGIN, "the login was refused: %s",
				   flow->code);
	if (err)
		return failure_set(&cli->failure, STATUS_LOGIN,
				   "the browser did not return a login (%s); try: %s --no-browser",
				   strerror(-err), cli_login_command(cli));
	return 0;
}

/* An id that cannot be stored only has to be given again. */
static void remember(const struct cli *cli, const struct flow *flow,
		     const struct credentials *credentials)
{
	struct failure saving = {0};
	if (client_remember(cli, flow->issuer, credentials->client, &saving) < 0)
		say_warning("the client id is not stored: %s", saving.text);
	failure_finish(&saving);
}

static int redeem(struct cli *cli, struct flow *flow, const struct credentials *credentials,
		  bool remembers)
{
	const char *pairs[] = {
		"grant_type",    "authorization_code", "code",      flow->code,
		"redirect_uri",  flow->redirect,       "client_id", credentials->client,
		"code_verifier", flow->pkce.verifier,  NULL};
	cJSON *answer;
	int waited;
	if (auth_request(cli, credentials, "/v2/oauth2/token", pairs, &answer) < 0) {
		/* What Auth calls an invalid grant is the code here, not an older login. */
		if (cli->failure.status == STATUS_LOGIN)
			failure_set(&cli->failure, STATUS_LOGIN,
				    "the code was not accepted: it is mistyped, already used or "
				    "too old; log in again to get a new one");
		return -1;
	}
	cleanup_fd int lock = tokens_lock(cli->profile, &waited, &cli->failure);
	cJSON *list = lock < 0 ? NULL : tokens_load(cli->profile, &cli->failure);
	int err = list ? auth_take(cli, credentials, list, answer) : -1;
	/* before the tokens: without its client a login cannot be used */
	if (!err && remembers)
		remember(cli, flow, credentials);
	if (!err)
		err = tokens_save(cli->profile, list, &cli->failure);
	json_wipe(list);
	json_wipe(answer);
	return err;
}

/* Where the code will arrive: a port here, or a page that shows it. */
static int choose_redirect(struct cli *cli, struct flow *flow, bool browser)
{
	uint16_t port;
	int n;
	flow->listener = browser ? loopback_listen(&port) : -1;
	if (flow->listener >= 0)
		n = asprintf(&flow->redirect, "http://localhost:%u", port);
	else
		n = asprintf(&flow->redirect, "%s" PASTE_PAGE, flow->issuer);
	if (n < 0) {
		flow->redirect = NULL;
		return failure_memory(&cli->failure);
	}
	return 0;
}

static void drop_redirect(struct flow *flow)
{
	if (flow->listener >= 0)
		close(flow->listener);
	flow->listener = -1;
	free(flow->redirect);
	free(flow->address);
	flow->redirect = flow->address = NULL;
}

static int prepare(struct cli *cli, struct flow *flow, const struct credentials *credentials,
		   const struct login_wish *wish, bool browser)
{
	if (choose_redirect(cli, flow, browser) < 0 ||
	    make_address(cli, flow, credentials, wish) < 0)
		return -1;
	if (flow->listener < 0 || open_browser(flow->address))
		return 0;
	say_note("cannot open a browser on this machine");
	drop_redirect(flow);
	return prepare(cli, flow, credentials, wish, false);
}

static int perform(struct cli *cli, struct flow *flow, const struct credentials *credentials,
		   const struct login_wish *wish)
{
	flow->issuer = cli_service_url(cli, "AUTH");
	if (!flow->issuer || !cli_http(cli))
		return -1;
	int err = pkce_init(&flow->pkce);
	if (err)
		return failure_set(&cli->failure, STATUS_FAILED, "cannot prepare a login: %s",
				   strerror(-err));
	if (prepare(cli, flow, credentials, wish, wish->browser) < 0)
		return -1;
	bool paste = flow->listener < 0;
	FILE *out = wish->terminal->out;
	/* The address alone on its line, however long: it has to be copied whole. */
	fprintf(out, "%s\n\n%s\n\n",
		paste ? "Log in at this address, and paste the code that its page shows:"
		      : "Log in with the browser. If it has not opened, go to:",
		flow->address);
	/* If the address cannot be shown, no login is possible. */
	if (fflush(out) != 0)
		return failure_set(&cli->failure, STATUS_FAILED,
				   "cannot print the login address: %s", strerror(errno));
	err = paste ? read_code(cli, flow, wish->terminal) : catch_code(cli, flow);
	return err ? err : redeem(cli, flow, credentials, wish->remember);
}

int login_flow(struct cli *cli, const struct credentials *credentials,
	       const struct login_wish *wish)
{
	struct flow flow = {.listener = -1};
	int err = perform(cli, &flow, credentials, wish);
	drop_redirect(&flow);
	free(flow.issuer);
	explicit_bzero(&flow, sizeof(flow));
	return err;
}
