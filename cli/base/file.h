#ifndef GS_CLI_FILE_H
#define GS_CLI_FILE_H

/* Small private files: read safely, replaced as a whole, locked between processes. */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The path of this user's home: $HOME, else the password file's. Free it. NULL with errno. */
char *file_home(void);

/* Make the folder and those above it, 0700, where missing. 0 or -errno. */
int file_make_folder(const char *path);

/* Read a whole regular file of at most max bytes that is private (private.h). *data gets a NUL
 * after *len bytes; free it with file_wipe(). 0 or -errno: -ENOENT, -EPERM others may read or write
 * it or it is another's, -EFBIG, -EISDIR, -EINVAL not a regular file …. */
int file_read_private(const char *path, size_t max, char **data, size_t *len);
/* The same in two steps: a descriptor with the file's size in bytes, or -errno; and the rest. */
int file_open_private(const char *path, off_t *size);
int file_read_opened(int fd, off_t size, size_t max, char **data, size_t *len);
void file_wipe(char *data, size_t len);

/* Replace a file (0600) as a whole: write a new one beside it, sync, rename, sync the folder. A
 * kill or a power loss in between leaves either the old file or the new one. 0 or -errno; on
 * error the old file is unchanged. */
int file_replace(const char *path, const char *data, size_t len);

/* The same for a file that is not there yet: -EEXIST if it is, whatever it is. */
int file_create(const char *path, const char *data, size_t len);

/* Whether the folder of path is writable and its disk has room for file_replace(): 0 or -errno.
 * Leaves nothing behind. */
int file_try_replace(const char *path);

/* Remove what a killed file_replace() of path may have left. Only for the holder of its lock. */
void file_sweep(const char *path);

/* Take the lock file (0600, made if missing), waiting at most ms. *waited: whether another
 * process had it. tick, if not NULL, is called all the while and returns false to end the wait.
 * A descriptor, whose close() releases the lock (as does the end of the process), or -errno:
 * -ETIMEDOUT, -EINTR by tick, or that of open(). */
int file_lock(const char *path, long long ms, bool (*tick)(void), int *waited);

/* Remove the lock file while holding it: processes that wait for it notice, and make a new one. */
void file_unlink_lock(const char *path);

/* Open those of descriptors 0 to 2 that are closed, so that no file or socket of ours becomes a
 * standard stream. They are closed again when a program is executed. */
void file_reserve_standard(void);

#endif
