#include "tests/unit/services.h"

#include <check.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/command/command.h"
#include "cli/service/curl_lib.h"
#include "tests/unit/suite.h"

#define BASE       "http://127.0.0.1:9"
#define CLIENT_ID  "9a215035-5073-4f83-a241-42d71069e4c5"
#define ROUTES_MAX 16
#define TEXT_MAX   (1 << 20)

#define ANSWER(text) .body = text, .len = sizeof(text) - 1

#define REQUEST_ID               "\"meta\":{\"request_id\":\"C6C7W9F6M\"}"
#define RELATION(name, type, id) "\"" name "\":{\"data\":{\"type\":\"" type "\",\"id\":\"" id "\"}}"
#define TUNNEL                                                                                     \
	"{\"type\":\"Tunnel\",\"id\":\"" TUNNEL_ID "\",\"attributes\":{"                           \
	"\"submission_id\":\"06051d07-92d7-4c31-a6aa-197c5f5bd85f\",\"label\":\"mine\","           \
	"\"state\":\"ACTIVE\",\"status\":\"The tunnel is active.\",\"lifetime_mins\":360,"         \
	"\"restartable\":false,\"created_time\":\"2026-11-22T15:50:55+00:00\","                    \
	"\"listener_ip_address\":\"127.0.0.1\",\"listener_port\":8888,"                            \
	"\"initiator_ip_address\":\"127.0.0.1\",\"initiator_port\":43099},\"relationships\":"      \
	"{" RELATION("initiator", "StreamAccessPoint", INITIATOR_AP) "," RELATION(                 \
		"listener", "StreamAccessPoint", LISTENER_AP) "," RELATION("owner", "Identity",    \
									   CLIENT_ID) "}}"
#define ACCESS_POINT                                                                               \
	"{\"type\":\"StreamAccessPoint\",\"id\":\"" LISTENER_AP "\",\"attributes\":{"              \
	"\"display_name\":\"Lab listener access point\","                                          \
	"\"tlsftp_server\":\"tlsftp://127.0.0.1:39041\",\"description\":\"A stream access "        \
	"point\","                                                                                 \
	"\"organization\":\"Lab\",\"advertised_owner\":null,\"contact_email\":\"a@example.org\","  \
	"\"contact_info\":\"room 1\",\"department\":\"D\",\"info_link\":\"https://example.org\","  \
	"\"keywords\":[\"a\"]},\"relationships\":{" RELATION("host_endpoint", "Endpoint",          \
							     ENDPOINT_ID) "}}"
#define GRANT(token, scope, server)                                                                \
	"\"access_token\":\"" token "\",\"refresh_token\":\"r" token "\",\"scope\":\"" scope "\"," \
	"\"expires_in\":172800,\"token_type\":\"Bearer\",\"resource_server\":\"" server "\""
#define TRANSFER_NAME "transfer.api.globus.org"
#define TRANSFER_ALL  "urn:globus:auth:scope:" TRANSFER_NAME ":all"
#define MANAGE        "urn:globus:auth:scope:" ENDPOINT_ID ":manage_collections"
#define ENVELOPE(code, message, data)                                                              \
	"{\"DATA_TYPE\":\"result#1.0.0\",\"code\":\"success\",\"http_response_code\":" code ","    \
	"\"message\":\"" message "\",\"detail\":null,\"data\":[" data "],"                         \
	"\"authorization_parameters\":null}"

const struct route routes[] = {
	{"GET",
	 "/v2/tunnels/" TUNNEL_ID "/events",
	 {200,
	  ANSWER("{\"data\":[{\"type\":\"TunnelEvent\",\"id\":1,\"attributes\":{"
		 "\"code\":\"STARTED\",\"is_error\":false,\"description\":\"started\","
		 "\"details\":\"The tunnel was created\",\"time\":\"2026-11-22T15:50:55+00:00\""
		 "}}]," REQUEST_ID ",\"links\":{\"next\":null}}")}},
	{"GET", "/v2/tunnels/" TUNNEL_ID, {200, ANSWER("{\"data\":" TUNNEL "," REQUEST_ID "}")}},
	{"PATCH", "/v2/tunnels/" TUNNEL_ID, {200, ANSWER("{\"data\":" TUNNEL "," REQUEST_ID "}")}},
	{"DELETE", "/v2/tunnels/" TUNNEL_ID, {200, ANSWER("{\"data\":null," REQUEST_ID "}")}},
	{"GET",
	 "/v2/tunnels",
	 {200, ANSWER("{\"data\":[" TUNNEL "]," REQUEST_ID ",\"links\":{\"next\":null}}")}},
	{"POST", "/v2/tunnels", {201, ANSWER("{\"data\":" TUNNEL "," REQUEST_ID "}")}},
	{"GET",
	 "/v2/stream_access_points/",
	 {200, ANSWER("{\"data\":" ACCESS_POINT "," REQUEST_ID "}")}},
	{"GET",
	 "/v2/stream_access_points",
	 {200, ANSWER("{\"data\":[" ACCESS_POINT "]," REQUEST_ID ",\"links\":{\"next\":null}}")}},
	{"GET",
	 "/v0.10/endpoint/" ENDPOINT_ID,
	 {200, ANSWER("{\"DATA_TYPE\":\"endpoint\",\"id\":\"" ENDPOINT_ID "\","
		      "\"display_name\":\"Lab\",\"entity_type\":\"GCSv5_endpoint\","
		      "\"gcs_manager_url\":\"" BASE "/gcs\",\"gcs_version\":\"5.4.0\"}")}},
	{"GET",
	 "/gcs/api/info",
	 {200, ANSWER(ENVELOPE("200", "success",
			       "{\"DATA_TYPE\":\"info#1.0.0\",\"api_version\":\"1.29.0\","
			       "\"endpoint_id\":\"" ENDPOINT_ID "\","
			       "\"globus_streams_lan_auth\":[\"v1\"]}"))}},
	{"GET",
	 "/gcs/api/stream_gateways",
	 {200, ANSWER(ENVELOPE("200", "success", "{\"lan_secret_required\":true}"))}},
	{"POST",
	 "/gcs/api/lan_secrets",
	 {201,
	  ANSWER(ENVELOPE("201", "created",
			  "{\"DATA_TYPE\":\"lan_secret#1.0.0\",\"id\":\"" SECRET_ID "\","
			  "\"secret\":\"76baaa36a35da550374df25d1a0ff17e\","
			  "\"expires\":1795384255,\"tunnel_id\":\"" TUNNEL_ID "\","
			  "\"stream_access_point_id\":\"" LISTENER_AP "\","
			  "\"identity_id\":\"" CLIENT_ID "\",\"username\":\"u@example.org\"}"))}},
	{"DELETE", "/gcs/api/lan_secrets/", {200, ANSWER(ENVELOPE("200", "deleted", ""))}},
	{"POST", "/v2/oauth2/token/revoke", {200, ANSWER("{\"active\":false}")}},
	{"POST",
	 "/v2/oauth2/token",
	 {200, ANSWER("{" GRANT("11a1", TRANSFER_ALL, TRANSFER_NAME) ",\"other_tokens\":[{" GRANT(
		       "57f9", MANAGE, ENDPOINT_ID) "}]}")}},
	{"GET",
	 "/v2/oauth2/userinfo",
	 {200, ANSWER("{\"sub\":\"" CLIENT_ID "\",\"preferred_username\":\"ada@example.org\","
		      "\"name\":\"Ada\",\"email\":\"ada@example.org\","
		      "\"identity_provider_display_name\":\"Lab\"}")}},
};
const size_t routes_count = COUNT(routes);

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

const struct route *services_route(const char *method, const char *path)
{
	for (size_t i = 0; i < routes_count; i++)
		if (!strcmp(routes[i].method, method) && !strcmp(routes[i].path, path))
			return &routes[i];
	ck_abort_msg("no route %s %s", method, path);
	return NULL;
}

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

static void make_folder(void)
{
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
