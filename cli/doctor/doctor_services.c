#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/base/cleanup.h"
#include "cli/base/say.h"
#include "cli/doctor/doctor.h"
#include "cli/service/auth.h"
#include "cli/service/json.h"

/* doctor: what is asked of Auth and Transfer. */

#define CLOCK_WARNING_S 60
#define CLOCK_FAILED_S  300

/* A token in the cache outlives the secret that it was got with, so Auth is asked again. */
static int ask_again(struct cli *cli, const struct credentials *credentials)
{
	cJSON *answer = NULL;
	const char *pairs[] = {"grant_type", "client_credentials", "scope", TRANSFER_SCOPE, NULL};
	doctor_ask("asking Auth");
	int err = auth_request(cli, credentials, "/v2/oauth2/token", pairs, &answer);
	json_wipe(answer);
	return err;
}

static bool check_login(struct doctor *doctor)
{
	struct cli *cli = doctor->cli;
	struct credentials credentials = {0};
	cleanup_wipe char *token = NULL;
	bool client = auth_credentials(cli, &credentials) == 0 && credentials.secret;
	failure_finish(&cli->failure);
	if (client && ask_again(cli, &credentials) < 0) {
		doctor_say_failure(doctor, DOCTOR_FAILED, "login");
		return false;
	}
	doctor_ask("asking Auth");
	if (auth_token(cli, TRANSFER_SERVER, TRANSFER_SCOPE, NULL, &token) < 0) {
		doctor_say_failure(doctor, DOCTOR_FAILED, "login");
		return false;
	}
	doctor_say(doctor, DOCTOR_OK, "login", "%s %s; the token covers Transfer",
		   client ? "client credentials of" : "a login with client", credentials.client);
	return true;
}

/* By the Date of Transfer's answer, which was just made. */
static void check_clock(struct doctor *doctor)
{
	if (!doctor->cli->date)
		return;
	long long ahead = (long long)time(NULL) - doctor->cli->date;
	long long off = llabs(ahead);
	if (off <= CLOCK_WARNING_S)
		doctor_say(doctor, DOCTOR_OK, "clock",
			   "this machine's clock agrees with Transfer's");
	else
		doctor_say(doctor, off > CLOCK_FAILED_S ? DOCTOR_FAILED : DOCTOR_WARNING, "clock",
			   "this machine's clock is %lld s %s Transfer's, and tokens and tunnels "
			   "expire by it; set it, for example with an NTP service",
			   off, ahead > 0 ? "ahead of" : "behind");
}

static bool check_transfer(struct doctor *doctor, const char *url)
{
	cJSON *list = NULL;
	doctor->cli->date = 0;
	doctor_ask("asking Transfer");
	int err =
		transfer_list(doctor->cli, "/v2/stream_access_points", "the access points", &list);
	if (err)
		doctor_say_failure(doctor, DOCTOR_FAILED, "Transfer");
	int known = cJSON_GetArraySize(list);
	if (!err)
		doctor_say(doctor, DOCTOR_OK, "Transfer", "%s answers and lists %d access point%s",
			   url, known, known == 1 ? "" : "s");
	check_clock(doctor);
	cJSON_Delete(list);
	return !err;
}

bool doctor_services(struct doctor *doctor)
{
	struct cli *cli = doctor->cli;
	cleanup_free char *url = cli_service_url(cli, "TRANSFER");
	failure_finish(&cli->failure);
	if (url && !doctor_proxy(doctor, url))
		return false;
	if (!check_login(doctor))
		return false;
	return check_transfer(doctor, url ? url : "it");
}
