#include "cli/base/conf_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/base/cleanup.h"
#include "cli/base/file.h"
#include "cli/base/private.h"

#define DEFAULT_FOLDER ".globus/streams"

static char *without_slash(char *path)
{
	if (path) {
		size_t len = strlen(path);
		while (len > 1 && path[len - 1] == '/')
			path[--len] = '\0';
	}
	return path;
}

char *conf_file_base(const char *dir)
{
	if (!dir || !*dir)
		dir = getenv("GLOBUS_STREAMS_BASE_DIR");
	if (dir && *dir)
		return without_slash(strdup(dir));
	cleanup_free char *home = without_slash(file_home());
	if (!home)
		return NULL;
	char *path = NULL;
	if (asprintf(&path, "%s/" DEFAULT_FOLDER, strcmp(home, "/") == 0 ? "" : home) < 0)
		return NULL;
	return path;
}

/* The text, quoted as one word for a shell. */
static char *quote(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "/._-+:@%,=";
	if (*text && !text[strspn(text, plain)])
		return strdup(text);
	char *quoted = malloc(strlen(text) * 4 + 3), *at = quoted;
	if (!quoted)
		return NULL;
	*at++ = '\'';
	for (; *text; text++) {
		if (*text == '\'')
			at = stpcpy(at, "'\\'");
		*at++ = *text;
	}
	stpcpy(at, "'");
	return quoted;
}

char *conf_file_option(const char *base)
{
	cleanup_free char *usual = conf_file_base(NULL);
	cleanup_free char *there = usual ? realpath(usual, NULL) : NULL;
	cleanup_free char *here = realpath(base, NULL);
	if ((usual && strcmp(usual, base) == 0) || (there && here && strcmp(there, here) == 0))
		return strdup("");
	cleanup_free char *word = quote(base);
	char *option = NULL;
	return !word || asprintf(&option, "--base-dir %s ", word) < 0 ? NULL : option;
}

static char *conf_path(const char *base, const char *id)
{
	char *path = NULL;
	return asprintf(&path, "%s/%s.conf", base, id) < 0 ? NULL : path;
}

__attribute__((format(printf, 3, 4))) static int explain(char **why, int err, const char *format,
							 ...)
{
	va_list args;
	va_start(args, format);
	if (why && vasprintf(why, format, args) < 0)
		*why = NULL;
	va_end(args);
	return err;
}

static int explain_folder(char **why, const char *folder)
{
	struct stat st;
	if (stat(folder, &st) == 0 && st.st_uid != 0 && st.st_uid != geteuid())
		return explain(why, -EPERM,
			       "%s belongs to user %u, who can replace the conf files in it; keep "
			       "them in a folder of your own",
			       folder, st.st_uid);
	return explain(
		why, -EPERM,
		"other users may write to %s and replace the conf files in it; run: chmod go-w %s",
		folder, folder);
}

static int explain_private(char **why, const char *path)
{
	struct stat st;
	if (stat(path, &st) == 0 && st.st_uid != geteuid() && st.st_uid != 0)
		return explain(why, -EPERM,
			       "%s holds a secret and belongs to user %u; run this as that user, "
			       "or take it over with chown \"$USER\" and chmod 600, or initialize "
			       "this environment again with --force",
			       path, st.st_uid);
	return explain(
		why, -EPERM,
		"%s holds a secret, and other users may read or write it; restrict it with chown "
		"\"$USER\" and chmod 600, or initialize this environment again with --force",
		path);
}

static int explain_read(char **why, int err, const char *base, const char *path, const char *id)
{
	cleanup_free char *found = conf_file_option(base);
	const char *option = found ? found : "";
	switch (err) {
	case -ENOENT:
		return explain(why, err,
			       "%s does not exist: this tunnel's environment is not initialized "
			       "here; run: globus-streams environment initialize %s%s",
			       path, option, id);
	case -EPERM:
		return explain_private(why, path);
	case -EFBIG:
	case -EINVAL:
		return explain(why, err,
			       "%s is not a conf file of globus-streams; remove it and run: "
			       "globus-streams environment initialize %s%s",
			       path, option, id);
	default:
		return explain(why, err, "cannot read %s: %s", path, strerror(-err));
	}
}

int conf_file_read(const char *base, const char *id, struct conf *conf, char **why)
{
	*conf = (struct conf){0};
	cleanup_free char *path = conf_path(base, id);
	cleanup_free char *folder = NULL;
	if (!path)
		return explain(why, -ENOMEM, "out of memory");
	char *text = NULL;
	size_t len = 0;
	off_t size = 0;
	cleanup_fd int fd = file_open_private(path, &size);
	int err = fd < 0 ? fd : private_check_folder(fd, path, &folder);
	if (err && folder)
		return explain_folder(why, folder);
	if (!err)
		err = file_read_opened(fd, size, CONF_SIZE_MAX, &text, &len);
	if (!err) {
		err = conf_parse(conf, text, len);
		file_wipe(text, len);
	}
	return err ? explain_read(why, err, base, path, id) : 0;
}

int conf_file_view(const char *base, const char *id, struct conf_view *view, char **why)
{
	struct conf conf;
	const char *key, *wrong;
	if (conf_file_read(base, id, &conf, why) < 0)
		return -1;
	int err = conf_view(&conf, view, &key, &wrong);
	conf_finish(&conf);
	if (err == 0)
		return 0;
	conf_view_wipe(view);
	cleanup_free char *option = conf_file_option(base);
	explain(why, err,
		"%s/%s.conf: %s %s; run: globus-streams environment initialize --force %s%s", base,
		id, key, wrong, option ? option : "", id);
	return -1;
}

static int explain_write(char **why, int err, const char *path)
{
	const char *next = "";
	if (err == -ENOSPC || err == -EDQUOT)
		next = "; free some disk space and try again";
	else if (err == -EACCES || err == -EROFS || err == -EPERM || err == -ENOENT ||
		 err == -ENOTDIR)
		next = "; choose a writable folder with --base-dir or GLOBUS_STREAMS_BASE_DIR";
	return explain(why, err, "cannot write %s: %s%s%s", path, strerror(-err),
		       access(path, F_OK) == 0 ? " (the file is unchanged)" : "", next);
}

/* Make the folder; check that nobody else can replace a file in it. */
static int prepare_folder(const char *base, const char *path, char **why)
{
	cleanup_free char *folder = NULL;
	int err = file_make_folder(base);
	if (!err)
		err = private_check_folder(-1, path, &folder);
	if (err && folder)
		return explain_folder(why, folder);
	return err ? explain_write(why, err, path) : 0;
}

int conf_file_try_write(const char *base, const char *id, char **why)
{
	cleanup_free char *path = conf_path(base, id);
	if (!path)
		return explain(why, -ENOMEM, "out of memory");
	int err = prepare_folder(base, path, why);
	if (err)
		return err;
	err = file_try_replace(path);
	return err ? explain_write(why, err, path) : 0;
}

int conf_file_write(const char *base, const char *id, const struct conf *conf, char **why)
{
	cleanup_free char *path = conf_path(base, id);
	size_t len = 0;
	char *text = path ? conf_format(conf, &len) : NULL;
	if (!text)
		return explain(why, -ENOMEM, "out of memory");
	int err = prepare_folder(base, path, why);
	if (!err) {
		err = file_replace(path, text, len);
		if (err)
			explain_write(why, err, path);
	}
	conf_free_text(text, len);
	return err;
}
