#ifndef GS_CLI_PRIVATE_H
#define GS_CLI_PRIVATE_H

/* Who owns and may read a file that holds a secret, also in a user namespace. */

#include <sys/stat.h>

/* A file is private if it belongs to us or to root and nobody else may read or write it, by its
 * mode or by its ACL (credentials from a service manager have one for the service:
 * systemd.exec(5), LoadCredential). 0, -EPERM, or -errno. */
int private_check_file(int fd, const struct stat *st);

/* Check that others cannot replace path, which is open as fd (-1: it does not exist yet). The
 * folder of the name and the real folder of the file must belong to us or to root and be
 * writable by nobody else, sticky bit or not; or they are mounted read-only. 0, or -EPERM with
 * *folder, the one at fault, to be freed; or -errno. */
int private_check_folder(int fd, const char *path, char **folder);

#endif
