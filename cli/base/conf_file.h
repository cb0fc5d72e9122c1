#ifndef GS_CONF_FILE_H
#define GS_CONF_FILE_H

/* The conf files of this user: where they are, reading them safely, replacing them as a whole. */

#include <stddef.h>

#include "protocol/conf.h"

/* The folder of the conf files: dir (--base-dir) if not NULL, else $GLOBUS_STREAMS_BASE_DIR, else
 * ~/.globus/streams ($HOME, else the password file's home). No closing slash. Free it. NULL: no
 * memory or no home (errno). */
char *conf_file_base(const char *dir);

/* The option by which a printed command finds this folder: "--base-dir DIR ", quoted for a
 * shell, or "" if it is the default. Free it; NULL: no memory. */
char *conf_file_option(const char *base);

/* Read <base>/<id>.conf. 0 or -errno: -ENOENT none, -EPERM others may read, write or replace it or
 * it is another's, -EINVAL not a conf file, -EISDIR …. *why: a clear sentence with the path and
 * what to do, to be freed, set on every error. */
int conf_file_read(const char *base, const char *id, struct conf *conf, char **why);

/* Read it, and what it says (conf_view()): 0 or -1, with *why as above. view holds a secret, to be
 * wiped by conf_view_wipe(); on an error it holds none. */
int conf_file_view(const char *base, const char *id, struct conf_view *view, char **why);

/* Replace <base>/<id>.conf (0600) as a whole, making missing folders (0700): write a new file
 * beside it, sync, rename, sync the folder. 0 or -errno with *why as above; on error the old
 * file is unchanged. */
int conf_file_write(const char *base, const char *id, const struct conf *conf, char **why);

/* Whether conf_file_write() would succeed, as far as is known before: 0 or -errno with *why. */
int conf_file_try_write(const char *base, const char *id, char **why);

#endif
