#ifndef GS_CLI_H
#define GS_CLI_H

/* One run of globus-streams: passed to every subcommand. */

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/base/failure.h"
#include "cli/service/http.h"

struct cli {
	bool json; /* --format json or unix, or --jq: JSON goes to stdout, as output_as() says */
	bool json_errors;
	bool quiet;  /* --quiet */
	bool asking; /* stderr is a terminal: the user may be asked, on the controlling one */
	bool asked;  /* asked for a login, at most once per run */
	const char *profile;       /* whose tokens are used; NULL: the default one */
	char client[37];           /* the client for logins (client.c) */
	const char *client_source; /* what named it; NULL: not looked for yet */
	struct failure failure;
	cJSON *reported;   /* cli_report()'s lines, where they are not printed; NULL: none */
	struct http *http; /* NULL until cli_http() */
	int tries;         /* that the last call took */
	size_t received;   /* bytes of the last answer */
	int64_t date;      /* of the last answer, by the service's clock, epoch s; 0: not known */
	struct {
		char endpoint[37];
		char *url; /* NULL: not asked yet */
	} manager;         /* the GCS Manager that was asked last (gcs.c) */
};

/* The HTTP client, made when first needed; NULL with cli->failure. */
struct http *cli_http(struct cli *cli);

/* A service's base URL without a closing slash: "AUTH" or "TRANSFER", from
 * GLOBUS_SDK_SERVICE_URL_<name>, else by GLOBUS_SDK_ENVIRONMENT. Free it; NULL with cli->failure.
 */
char *cli_service_url(struct cli *cli, const char *name);

/* A UUID from the command line in lower case into id; what says which. 0, or -1 with cli->failure
 * (wrong usage). */
int cli_uuid(struct cli *cli, const char *what, const char *text, char id[37]);

/* The command to log in with: "globus-streams login", with the profile in use. Valid until the
 * next call. */
const char *cli_login_command(const struct cli *cli);

/* cli->failure came with an HTTP status, and with an answer, which is kept as text; NULL: no JSON.
 */
void cli_refused(struct cli *cli, long status, const cJSON *answer);

/* An error that does not end the command yet: printed as a line, or with json_errors kept for the
 * document at its end. */
__attribute__((format(printf, 2, 3))) void cli_report(struct cli *cli, const char *format, ...);

void cli_finish(struct cli *cli);

#endif
