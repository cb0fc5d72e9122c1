#include "cli/base/private.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/base/cleanup.h"

#define OVERFLOW_UID 65534 /* the usual one */
#define ACL_MOST     64    /* entries */

/* What the kernel shows for ids that the user namespace does not know. */
static uid_t overflow_uid(void)
{
	char text[16] = "";
	cleanup_fd int fd = open("/proc/sys/kernel/overflowuid", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	return got > 0 ? (uid_t)strtoul(text, NULL, 10) : OVERFLOW_UID;
}

/* Only the owner, or a process with CAP_FOWNER, may use O_NOATIME. */
static bool may_as_owner(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NOATIME) == 0;
}

static bool is_trusted(int fd, uid_t owner)
{
	if (owner == 0)
		return true;
	if (owner != geteuid())
		return false;
	return owner != overflow_uid() || may_as_owner(fd);
}

struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entries[ACL_MOST];
};

/* Whether the ACL gives rights to anybody but the owner and us. Without an ACL, the mode's group
 * bits are the rights of the group. */
static bool others_by_acl(int fd)
{
	struct acl acl;
	uint16_t mask = 7;
	ssize_t len = fgetxattr(fd, "system.posix_acl_access", &acl, sizeof(acl));
	if (len < (ssize_t)sizeof(acl.header) ||
	    le32toh(acl.header.a_version) != POSIX_ACL_XATTR_VERSION)
		return true;
	size_t count = ((size_t)len - sizeof(acl.header)) / sizeof(*acl.entries);
	for (size_t i = 0; i < count; i++)
		if (le16toh(acl.entries[i].e_tag) == ACL_MASK)
			mask = le16toh(acl.entries[i].e_perm);
	for (size_t i = 0; i < count; i++) {
		const struct posix_acl_xattr_entry *entry = &acl.entries[i];
		uint16_t tag = le16toh(entry->e_tag);
		bool ours = tag == ACL_USER_OBJ || tag == ACL_MASK ||
			    (tag == ACL_USER && le32toh(entry->e_id) == geteuid());
		if (!ours && le16toh(entry->e_perm) & mask)
			return true;
	}
	return false;
}

int private_check_file(int fd, const struct stat *st)
{
	if (!is_trusted(fd, st->st_uid) || st->st_mode & 07)
		return -EPERM;
	return st->st_mode & 070 && others_by_acl(fd) ? -EPERM : 0;
}

/* --- folders --- */

static int check_one(char *path, char **folder)
{
	struct stat st;
	struct statvfs fs;
	cleanup_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* a folder that we may search but not read is examined by its name */
	if ((fd < 0 ? stat(path, &st) : fstat(fd, &st)) < 0)
		return -errno;
	if (is_trusted(fd, st.st_uid) && !(st.st_mode & 022))
		return 0;
	if (statvfs(path, &fs) == 0 && fs.f_flag & ST_RDONLY)
		return 0;
	*folder = strdup(path);
	return -EPERM;
}

/* The folder's real path, to be freed. */
static char *folder_of(const char *path)
{
	cleanup_free char *copy = strdup(path);
	char *slash = copy ? strrchr(copy, '/') : NULL;
	if (!copy)
		return NULL;
	if (slash)
		slash[slash == copy] = '\0';
	return realpath(slash ? copy : ".", NULL);
}

int private_check_folder(int fd, const char *path, char **folder)
{
	char link[64], real[PATH_MAX];
	*folder = NULL;
	cleanup_free char *named = folder_of(path);
	if (!named)
		return -errno;
	int err = check_one(named, folder);
	if (err || fd < 0)
		return err;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, real, sizeof(real) - 1);
	if (len < 0)
		return -errno;
	real[len] = '\0';
	cleanup_free char *actual = folder_of(real);
	if (!actual) /* its folder was removed, or is outside our root */
		return -errno;
	return strcmp(actual, named) == 0 ? 0 : check_one(actual, folder);
}
