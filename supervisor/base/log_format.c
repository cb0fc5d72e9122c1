#include "supervisor/base/log_format.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "protocol/older.h"

struct line {
	char *text;
	size_t len;
};

static const char *const levels[] = {
	[LOG_WARN] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};

/* The bytes of a character beyond ASCII that is whole UTF-8 and no control character, U+0080 to
 * U+009F, which terminals obey as they do ESC; 0: there is none. */
static size_t printable(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	bool too_long = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
	if (at[0] < 0xc2 || at[0] > 0xf4 || too_long || (at[0] == 0xc2 && at[1] < 0xa0))
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

void log_escape(char *to, size_t size, const char *text, int whole)
{
	size_t len = 0;
	for (; *text && len + 5 < size; text++) {
		unsigned char byte = (unsigned char)*text;
		size_t more = byte < 0x80 || whole ? 0 : printable(text);
		if (more) {
			memcpy(to + len, text, more);
			len += more;
			text += more - 1;
		} else if (byte < ' ' || byte >= 0x7f) {
			len += (size_t)snprintf(to + len, size - len, "\\x%02x", byte);
		} else {
			to[len++] = *text;
		}
	}
	to[len] = '\0';
}

__attribute__((format(printf, 2, 3))) static void add(struct line *line, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(line->text + line->len, LOG_LINE - line->len, format, args);
	va_end(args);
	line->len += len > 0 ? (size_t)len : 0;
	if (line->len > LOG_LINE - 2)
		line->len = LOG_LINE - 2; /* room for the newline */
}

/* A string of JSON, and of key=value where it needs quotes. */
static void add_quoted(struct line *line, const char *text)
{
	char escaped[LOG_LINE];
	log_escape(escaped, sizeof(escaped), text, true);
	add(line, "\"");
	for (const char *at = escaped; *at; at++)
		if (*at == '\\' && at[1] == 'x')
			add(line, "\\u00"), at++;
		else if (*at == '"' || *at == '\\')
			add(line, "\\%c", *at);
		else
			add(line, "%c", *at);
	add(line, "\"");
}

static bool is_plain(const char *text)
{
	for (const char *at = text; *at; at++)
		if (*at <= ' ' || *at >= 0x7f || strchr("\"=\\", *at))
			return false;
	return *text != '\0';
}

static void add_text_field(struct line *line, enum log_format format, const char *key,
			   const char *value)
{
	if (!value)
		return;
	if (format == LOG_JSON) {
		add(line, ",\"%s\":", key);
		add_quoted(line, value);
	} else {
		add(line, " %s=", key);
		if (is_plain(value))
			add(line, "%s", value);
		else
			add_quoted(line, value);
	}
}

static void add_number_field(struct line *line, enum log_format format, const char *key,
			     uint64_t value)
{
	if (value && format == LOG_JSON)
		add(line, ",\"%s\":%llu", key, (unsigned long long)value);
	else if (value)
		add(line, " %s=%llu", key, (unsigned long long)value);
}

/* ECONNREFUSED, … */
static const char *name_of_error(int error)
{
	return error ? strerrorname_np(error) : NULL;
}

static void add_fields(struct line *line, enum log_format format, const struct log_about *about)
{
	if (!about)
		return;
	add_number_field(line, format, "process", (uint64_t)about->pid);
	add_text_field(line, format, "comm", about->comm);
	add_text_field(line, format, "tunnel", about->tunnel);
	add_number_field(line, format, "connection", about->connection);
	add_text_field(line, format, "error", name_of_error(about->error));
}

static void add_structured(struct line *line, enum log_format format, enum log_level level,
			   const struct log_about *about, const char *text)
{
	char name[16] = "", when[32];
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%FT%T", &tm);
	prctl(PR_GET_NAME, name);
	bool json = format == LOG_JSON;
	add(line,
	    json ? "{\"time\":\"%s.%06ldZ\",\"level\":\"%s\",\"program\":\"%s\",\"pid\":%d"
		 : "time=%s.%06ldZ level=%s program=%s pid=%d",
	    when, now.tv_nsec / 1000, levels[level], name, (int)getpid());
	add_fields(line, format, about);
	add_text_field(line, format, json ? "message" : "msg", text);
	if (json)
		add(line, "}");
}

static void add_journal_field(struct line *line, const char *key, const char *value)
{
	char escaped[LOG_LINE];
	if (!value)
		return;
	log_escape(escaped, sizeof(escaped), value, false);
	add(line, "%s=%s\n", key, escaped);
}

/* Everything up to the last field, which the newline ends. */
static void add_journal(struct line *line, enum log_level level, const struct log_about *about,
			const char *text)
{
	static const int priorities[] = {[LOG_WARN] = 4, [LOG_INFO] = 6, [LOG_DEBUG] = 7};
	add_journal_field(line, "MESSAGE", text);
	if (about) {
		if (about->pid)
			add(line, "OBJECT_PID=%d\n", about->pid);
		add_journal_field(line, "GLOBUS_STREAMS_COMM", about->comm);
		add_journal_field(line, "GLOBUS_STREAMS_TUNNEL", about->tunnel);
		if (about->connection)
			add(line, "GLOBUS_STREAMS_CONNECTION=%llu\n",
			    (unsigned long long)about->connection);
		if (about->error)
			add(line, "ERRNO=%d\n", about->error);
		add_journal_field(line, "GLOBUS_STREAMS_ERROR", name_of_error(about->error));
	}
	add(line, "SYSLOG_IDENTIFIER=globus-streams\nPRIORITY=%d", priorities[level]);
}

static void add_text(struct line *line, const char *text)
{
	char name[16] = "", escaped[LOG_LINE];
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &now);
	localtime_r(&now.tv_sec, &tm);
	prctl(PR_GET_NAME, name);
	log_escape(escaped, sizeof(escaped), text, false);
	add(line, "%02d:%02d:%02d.%06ld %s[%d] %s", tm.tm_hour, tm.tm_min, tm.tm_sec,
	    now.tv_nsec / 1000, name, (int)getpid(), escaped);
}

size_t log_format(char buffer[LOG_LINE], enum log_format format, enum log_level level,
		  const struct log_about *about, const char *text)
{
	struct line line = {.text = buffer};
	if (format == LOG_TEXT)
		add_text(&line, text);
	else if (format == LOG_JOURNAL)
		add_journal(&line, level, about, text);
	else
		add_structured(&line, format, level, about, text);
	line.text[line.len++] = '\n';
	return line.len;
}
