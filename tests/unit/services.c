#include "tests/unit/services.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/command/command.h"
#include "cli/service/curl_lib.h"
#include "tests/unit/suite.h"

#define ROUTES_MAX 16
#define TEXT_MAX   (1 << 20)

/* How it goes with a route; shared with forked processes. */
struct of_route {
	struct reply reply;
	int times; /* left; -1: for ever */
	int asked;
};

static struct {
	struct of_route *of;
	long slept_ms;
	bool hidden;
	long long clock;
	char folder[64];
	char out[TEXT_MAX], err[TEXT_MAX], files[TEXT_MAX];
} world;

void services_answer(const struct route *route, const struct reply *reply, int times)
{
	world.of[route - routes].reply = *reply;
	world.of[route - routes].times = times;
}

void services_reset(void)
{
	size_t size = ROUTES_MAX * sizeof(*world.of);
	if (!world.of)
		world.of =
			mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(world.of != MAP_FAILED);
	memset(world.of, 0, size);
	world.slept_ms = 0;
}

int services_asked(const struct route *route)
{
	return world.of[route - routes].asked;
}

long services_slept(void)
{
	return world.slept_ms;
}

void services_set_clock(long long seconds)
{
	world.clock = seconds;
}

/* --- in the C library's place --- */

/* Whether the disk is waited for is seen from outside (test_cli_safety.py). */
int fsync(int fd)
{
	return fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}

/* The same ports each time. */
ssize_t getrandom(void *buffer, size_t len, unsigned flags)
{
	(void)flags;
	memset(buffer, 7, len);
	return (ssize_t)len;
}

/* The listener's address is always this machine's. */
int getifaddrs(struct ifaddrs **list)
{
	static struct sockaddr_in addresses[2];
	static struct ifaddrs interfaces[2];
	for (uint32_t i = 0; i < 2; i++) {
		addresses[i].sin_family = AF_INET;
		addresses[i].sin_addr.s_addr = htonl(0x0a0002a4 + i); /* 10.0.2.164, 165 */
		interfaces[i].ifa_addr = (struct sockaddr *)&addresses[i];
	}
	interfaces[0].ifa_next = &interfaces[1];
	*list = interfaces;
	return 0;
}

void freeifaddrs(struct ifaddrs *list)
{
	(void)list;
}

int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	(void)left;
	world.slept_ms += wanted->tv_sec * 1000 + wanted->tv_nsec / 1000000;
	return 0;
}

time_t time(time_t *out)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	time_t seconds = world.clock ? (time_t)world.clock : now.tv_sec;
	if (out)
		*out = seconds;
	return seconds;
}

/* --- in libcurl's place --- */

static struct {
	const char *url, *method;
	size_t (*write)(char *, size_t, size_t, void *);
	void *sink;
	struct reply reply;
} easy;

static CURL *easy_init(void)
{
	return &easy;
}

static void easy_reset(CURL *handle)
{
	memset(handle, 0, sizeof(easy));
}

static void easy_cleanup(CURL *handle)
{
	(void)handle;
}

static CURLcode easy_setopt(CURL *handle, CURLoption option, ...)
{
	va_list args;
	va_start(args, option);
	(void)handle;
	if (option == CURLOPT_URL)
		easy.url = va_arg(args, const char *);
	else if (option == CURLOPT_CUSTOMREQUEST)
		easy.method = va_arg(args, const char *);
	else if (option == CURLOPT_WRITEFUNCTION)
		easy.write = va_arg(args, size_t(*)(char *, size_t, size_t, void *));
	else if (option == CURLOPT_WRITEDATA)
		easy.sink = va_arg(args, void *);
	va_end(args);
	return CURLE_OK;
}

static const struct route *find(const char *method, const char *path)
{
	for (size_t i = 0; i < routes_count; i++)
		if (!strcmp(routes[i].method, method) &&
		    !strncmp(path, routes[i].path, strlen(routes[i].path)))
			return &routes[i];
	ck_abort_msg("nobody expects %s %s", method, path);
	return NULL;
}

static CURLcode easy_perform(CURL *handle)
{
	(void)handle;
	ck_assert_msg(!strncmp(easy.url, BASE, strlen(BASE)), "to another host: %s", easy.url);
	size_t n = (size_t)(find(easy.method, easy.url + strlen(BASE)) - routes);
	easy.reply = routes[n].reply;
	world.of[n].asked++;
	if (world.of[n].times) {
		easy.reply = world.of[n].reply;
		world.of[n].times -= world.of[n].times > 0;
	}
	if (easy.reply.fault)
		return easy.reply.fault;
	/* A copy of that length, so that reading beyond its end is seen by sanitizers. */
	char *body = malloc(easy.reply.len + 1);
	if (easy.reply.len)
		memcpy(body, easy.reply.body, easy.reply.len);
	size_t taken = easy.reply.len ? easy.write(body, 1, easy.reply.len, easy.sink) : 0;
	free(body);
	return taken == easy.reply.len ? CURLE_OK : CURLE_WRITE_ERROR;
}

static CURLcode easy_getinfo(CURL *handle, CURLINFO info, ...)
{
	va_list args;
	va_start(args, info);
	(void)handle;
	if (info == CURLINFO_RESPONSE_CODE)
		*va_arg(args, long *) = easy.reply.status;
	else if (info == CURLINFO_RETRY_AFTER)
		*va_arg(args, curl_off_t *) = easy.reply.retry_after;
	else if (info == CURLINFO_OS_ERRNO)
		*va_arg(args, long *) = 0;
	va_end(args);
	return CURLE_OK;
}

static const char *easy_strerror(CURLcode code)
{
	static char text[32];
	snprintf(text, sizeof(text), "libcurl's fault %d", code);
	return text;
}

static char *easy_escape(CURL *handle, const char *text, int len)
{
	(void)handle;
	(void)len;
	return strdup(text);
}

static struct curl_slist *slist_append(struct curl_slist *list, const char *text)
{
	struct curl_slist *item = calloc(1, sizeof(*item)), **end = &list;
	item->data = strdup(text);
	while (*end)
		end = &(*end)->next;
	*end = item;
	return list;
}

static void slist_free_all(struct curl_slist *list)
{
	while (list) {
		struct curl_slist *next = list->next;
		free(list->data);
		free(list);
		list = next;
	}
}

const struct curl_lib *curl_lib(struct failure *failure)
{
	static const struct curl_lib lib = {
		.easy_init = easy_init,
		.easy_reset = easy_reset,
		.easy_cleanup = easy_cleanup,
		.easy_setopt = easy_setopt,
		.easy_perform = easy_perform,
		.easy_getinfo = easy_getinfo,
		.easy_strerror = easy_strerror,
		.easy_escape = easy_escape,
		.free = free,
		.slist_append = slist_append,
		.slist_free_all = slist_free_all,
	};
	(void)failure;
	return &lib;
}

/* --- running --- */

static int stream(const char *text)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	if (text) {
		ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
		lseek(fd, 0, SEEK_SET);
	}
	return fd;
}

static void take(int fd, char *text)
{
	ssize_t n = pread(fd, text, TEXT_MAX - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(fd);
}

struct ended services_run(const char *const *words, const char *input)
{
	char *argv[16] = {(char *)"globus-streams"};
	int argc = 1, kept[3], given[3] = {stream(input), stream(NULL), stream(NULL)};
	while (words[argc - 1]) {
		argv[argc] = (char *)words[argc - 1];
		argc++;
	}
	fflush(stdout);
	__fpurge(stdin);
	clearerr(stdin);
	for (int fd = 0; fd < 3; fd++) {
		kept[fd] = dup(fd);
		dup2(given[fd], fd);
	}
	int status = command_main(&command_root, argc, argv);
	fflush(stdout);
	for (int fd = 0; fd < 3; fd++) {
		dup2(kept[fd], fd);
		close(kept[fd]);
	}
	close(given[0]);
	take(given[1], world.out);
	take(given[2], world.err);
	return (struct ended){status, world.out, world.err};
}

/* --- the folder --- */

const char *services_path(const char *name)
{
	static char path[320];
	snprintf(path, sizeof(path), "%s/%s", world.folder, name);
	return path;
}

static void empty_folder(void)
{
	DIR *dir = opendir(world.folder);
	for (struct dirent *entry; dir && (entry = readdir(dir));)
		unlink(services_path(entry->d_name));
	if (dir)
		closedir(dir);
}

static void remove_folder(void)
{
	empty_folder();
	rmdir(world.folder);
}

/* A terminal that the tests are run from is not asked. */
static void detach(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		ioctl(fd, TIOCNOTTY);
	if (fd >= 0)
		close(fd);
}

static void make_folder(void)
{
	detach();
	snprintf(world.folder, sizeof(world.folder), "%s/gs-services-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(world.folder));
	atexit(remove_folder);
	setenv("GLOBUS_STREAMS_BASE_DIR", world.folder, 1);
	setenv("GLOBUS_SDK_SERVICE_URL_AUTH", BASE, 1);
	setenv("GLOBUS_SDK_SERVICE_URL_TRANSFER", BASE, 1);
}

static void write_tokens(const char *kind, const char *expires)
{
	static const char *const scopes[] = {TRANSFER_ALL, MANAGE, "openid profile email"};
	static const char *const servers[] = {TRANSFER_NAME, ENDPOINT_ID, "auth.globus.org"};
	int fd = open(services_path("tokens.json"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	dprintf(fd, "{\"version\":1,\"tokens\":[");
	for (size_t i = 0; i < COUNT(servers); i++)
		dprintf(fd,
			"%s{\"resource_server\":\"%s\",\"issuer\":\"" BASE
			"\",\"client_id\":\"" CLIENT_ID
			"\",\"kind\":\"%s\",\"access_token\":\"t%zu\",\"expires_at\":%s,"
			"\"refresh_token\":\"r%zu\",\"scope\":\"%s\"}",
			i ? "," : "", servers[i], kind, i, expires, i, scopes[i]);
	dprintf(fd, "]}\n");
	close(fd);
}

static void set_client(const char *id, const char *secret, const char *login)
{
	const char *const pairs[][2] = {{"GLOBUS_CLI_CLIENT_ID", id},
					{"GLOBUS_CLI_CLIENT_SECRET", secret},
					{"GLOBUS_STREAMS_CLIENT_ID", login}};
	for (size_t i = 0; i < COUNT(pairs); i++)
		if (pairs[i][1])
			setenv(pairs[i][0], pairs[i][1], 1);
		else
			unsetenv(pairs[i][0]);
}

void services_folder(enum tokens tokens)
{
	bool expired = tokens == EXPIRED_TOKENS || tokens == EXPIRED_LOGIN;
	if (!*world.folder)
		make_folder();
	empty_folder();
	if (tokens < NO_LOGIN)
		set_client(CLIENT_ID, "secret", NULL);
	else
		set_client(NULL, NULL, CLIENT_ID);
	if (tokens != NO_TOKENS && tokens != NO_LOGIN)
		write_tokens(tokens < NO_LOGIN ? "client" : "login",
			     expired ? "1000" : "9999999999");
}

static bool is_left_out(const char *name)
{
	size_t len = strlen(name);
	return (len > 5 && !strcmp(name + len - 5, ".lock")) || (world.hidden && *name == '.');
}

void services_hide(bool hidden)
{
	world.hidden = hidden;
}

static size_t add_file(const char *name, size_t len)
{
	int fd = open(services_path(name), O_RDONLY | O_CLOEXEC);
	struct stat st;
	ck_assert(fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 07777) == 0600);
	len += (size_t)snprintf(world.files + len, sizeof(world.files) - len, "%s ", name);
	ssize_t n = read(fd, world.files + len, sizeof(world.files) - len - 1);
	close(fd);
	return len + (size_t)n;
}

const char *services_files(void)
{
	struct dirent **list;
	size_t len = 0;
	int count = scandir(world.folder, &list, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		if (list[i]->d_type == DT_REG && !is_left_out(list[i]->d_name))
			len = add_file(list[i]->d_name, len);
		free(list[i]);
	}
	free(list);
	world.files[len] = '\0';
	return world.files;
}
