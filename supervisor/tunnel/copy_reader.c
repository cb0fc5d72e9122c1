#include "supervisor/tunnel/copy_reader.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/tunnel/copy.h"

#define NAME_MAX_SEEN 64

/* In strcmp()'s order. What follows a full stop in a name is left out, as in vim.basic. */
static const char *const editors[] = {
	"ash",       "awk",       "b2sum",  "base64", "bash",    "bat",       "batcat",
	"bsdtar",    "busybox",   "bzip2",  "cat",    "chattr",  "cksum",     "cmp",
	"colordiff", "comm",      "cp",     "cpio",   "csh",     "cut",       "dash",
	"dd",        "diff",      "diff3",  "ed",     "egrep",   "emacs",     "etckeeper",
	"ex",        "expand",    "fgrep",  "file",   "fish",    "fold",      "gawk",
	"git",       "grep",      "gzip",   "head",   "hexdump", "hx",        "install",
	"jed",       "joe",       "join",   "ksh",    "ksh93",   "less",      "lesspipe",
	"mawk",      "mcedit",    "md5sum", "micro",  "mksh",    "more",      "mv",
	"nano",      "nawk",      "ne",     "nl",     "nvim",    "od",        "original-awk",
	"paste",     "patch",     "pico",   "pr",     "rev",     "rg",        "rnano",
	"rsync",     "scp",       "sed",    "sh",     "sha1sum", "sha224sum", "sha256sum",
	"sha384sum", "sha512sum", "shuf",   "sort",   "split",   "strings",   "sum",
	"tac",       "tail",      "tar",    "tcsh",   "tee",     "toybox",    "tr",
	"uniq",      "vi",        "view",   "vim",    "wc",      "xxd",       "xz",
	"zip",       "zsh",       "zstd",
};

static int compare(const void *name, const void *entry)
{
	return strcmp(name, *(const char *const *)entry);
}

static bool is_editor(char *path)
{
	char *slash = strrchr(path, '/');
	char *name = slash ? slash + 1 : path;
	name[strcspn(name, ". ")] = '\0';
	return bsearch(name, editors, sizeof(editors) / sizeof(*editors), sizeof(*editors),
		       compare) != NULL;
}

static bool is_many_tools(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	return strncmp(name, "busybox", 7) == 0 || strncmp(name, "toybox", 6) == 0;
}

/* The tool of a busybox that runs: its own name, or else the first word. */
static bool is_editing_tool(int tid)
{
	char words[2 * NAME_MAX_SEEN] = "";
	int fd = open(copy_proc_path("/proc/", tid, "/cmdline"), O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, words, sizeof(words) - 1);
	if (fd >= 0)
		close(fd);
	if (got <= 0)
		return false;
	char *tool = words;
	if (is_many_tools(words))
		tool += strlen(words) + 1;
	return tool < words + got && is_editor(tool);
}

void reader_look(struct reader *reader, int tid)
{
	ssize_t got = readlink(copy_proc_path("/proc/", tid, "/exe"), reader->file,
			       sizeof(reader->file) - 1);
	reader->file[got > 0 ? got : 0] = '\0';
}

bool reader_is_editor(struct reader *reader, int tid)
{
	return is_many_tools(reader->file) ? is_editing_tool(tid) : is_editor(reader->file);
}
