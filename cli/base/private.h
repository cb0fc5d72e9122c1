#ifndef GS_CLI_PRIVATE_H
#define GS_CLI_PRIVATE_H

/* Whose a file is that holds a secret, as the kernel shows it: in a user namespace too. */

#include <sys/stat.h>

/* A file is private that belongs to us or to root, and that nobody else may read or write: by its
 * mode, or by its ACL, as a service manager's credentials have one for the service
 * (systemd.exec(5), LoadCredential). 0, -EPERM, or -errno. */
int private_check_file(int fd, const struct stat *st);

/* Whether others may put another file in the place of path, which is open as fd (-1: it is not
 * there yet): the folder that the name is in, and that which the file is really in, have to belong
 * to us or to root, and nobody else may write to them, sticky bit or not; or they are mounted
 * read-only. 0 or -EPERM with *folder, to be freed: which of them; -errno. */
int private_check_folder(int fd, const char *path, char **folder);

#endif
