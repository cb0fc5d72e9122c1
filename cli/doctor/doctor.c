#include "cli/doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/base/cleanup.h"
#include "cli/base/patience.h"
#include "cli/base/say.h"
#include "cli/base/text.h"
#include "cli/command/command.h"
#include "cli/service/output.h"

struct values {
	const char *base_dir, *report;
};

static const struct option_spec options[] = {
	OPTION_BASE_DIR(struct values),
	{0, "report", "FILE", "also write everything to FILE, without secrets", OPTION_TEXT,
	 offsetof(struct values, report)},
	{0},
};

static void print_line(enum verdict verdict, const char *what, const char *found)
{
	static const char *const words[] = {"ok", "warning", "failed"};
	static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
	bool coloured = say_colours_stdout();
	say_waiting(NULL);
	printf("%s%-8s%s %s: %s\n", coloured ? colours[verdict] : "", words[verdict],
	       coloured ? "\033[0m" : "", what, found);
	output_flush(NULL);
}

void doctor_say(struct doctor *doctor, enum verdict verdict, const char *what, const char *format,
		...)
{
	static const char *const words[] = {"ok", "warning", "failed"};
	cleanup_free char *found = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&found, format, args) < 0)
		found = NULL;
	va_end(args);
	doctor->warnings += verdict == DOCTOR_WARNING;
	doctor->failures += verdict == DOCTOR_FAILED;
	if (!found)
		return;
	text_clean(found);
	if (doctor->lines)
		fprintf(doctor->lines, "%-8s %s: %s\n", words[verdict], what, found);
	if (!doctor->report) {
		print_line(verdict, what, found);
		return;
	}
	cJSON *item = cJSON_CreateObject();
	cJSON_AddStringToObject(item, "check", what);
	cJSON_AddStringToObject(item, "verdict", words[verdict]);
	cJSON_AddStringToObject(item, "message", found);
	cJSON_AddItemToArray(doctor->report, item);
}

void doctor_say_failure(struct doctor *doctor, enum verdict verdict, const char *what)
{
	struct failure *failure = &doctor->cli->failure;
	doctor_say(doctor, verdict, what, "%s", failure->text ? failure->text : "out of memory");
	failure_finish(failure);
}

void doctor_ask(const char *what)
{
	patience_set(DOCTOR_SERVICE_S);
	say_waiting(what);
}

static void examine(struct doctor *doctor, const char *base_dir, const char *id)
{
	doctor_place(doctor);
	doctor_machine(doctor);
	bool online = doctor_services(doctor);
	if (id)
		doctor_tunnel(doctor, base_dir, id, online);
}

static void print_sum(struct doctor *doctor)
{
	char sum[64];
	snprintf(sum, sizeof(sum), "%u failed, %u warning%s", doctor->failures, doctor->warnings,
		 doctor->warnings == 1 ? "" : "s");
	if (doctor->report)
		output_json_list(doctor->report);
	else
		puts(sum);
	if (doctor->lines)
		fprintf(doctor->lines, "%s\n", sum);
}

static int run(struct cli *cli, const void *given, char **words)
{
	const struct values *values = given;
	struct doctor doctor = {.cli = cli};
	cleanup_free char *lines = NULL;
	cleanup_fd int file = -1;
	size_t len;
	char id[37];
	if (words[0] && cli_uuid(cli, "a tunnel's", words[0], id) < 0)
		return -1;
	if (values->report && (file = doctor_report_open(&doctor, values->report)) < 0)
		return -1;
	if (values->report && !(doctor.lines = open_memstream(&lines, &len)))
		return failure_memory(&cli->failure);
	/* doctor only reports: it asks for no login. */
	cli->asking = false;
	if (cli->json)
		doctor.report = cJSON_CreateArray();
	examine(&doctor, values->base_dir, words[0] ? id : NULL);
	print_sum(&doctor);
	cJSON_Delete(doctor.report);
	if (doctor.lines && fclose(doctor.lines) != 0)
		return failure_memory(&cli->failure);
	if (doctor.lines && doctor_report_write(&doctor, file, values->report, lines,
						values->base_dir, words[0] ? id : NULL) < 0)
		return -1;
	return doctor.failures ? STATUS_FAILED : 0;
}

const struct command doctor_command = {
	.name = "doctor",
	.words = "[TUNNEL_ID]",
	.summary = "test everything that a program in a tunnel needs",
	.about = "Each line is ok, warning or failed, with what to do. The test connects to the "
		 "access point, or on the listener side to the listener, and authenticates as "
		 "usual: the listener sees a connection that ends at once.",
	.words_max = 1,
	.options = options,
	.values_size = sizeof(struct values),
	.run = run,
};
