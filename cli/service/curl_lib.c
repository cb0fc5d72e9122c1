#include "cli/service/curl_lib.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static const struct {
	const char *symbol;
	size_t offset;
} symbols[] = {
	{"curl_global_init", offsetof(struct curl_lib, global_init)},
	{"curl_easy_init", offsetof(struct curl_lib, easy_init)},
	{"curl_easy_reset", offsetof(struct curl_lib, easy_reset)},
	{"curl_easy_cleanup", offsetof(struct curl_lib, easy_cleanup)},
	{"curl_easy_setopt", offsetof(struct curl_lib, easy_setopt)},
	{"curl_easy_perform", offsetof(struct curl_lib, easy_perform)},
	{"curl_easy_getinfo", offsetof(struct curl_lib, easy_getinfo)},
	{"curl_easy_strerror", offsetof(struct curl_lib, easy_strerror)},
	{"curl_easy_escape", offsetof(struct curl_lib, easy_escape)},
	{"curl_free", offsetof(struct curl_lib, free)},
	{"curl_slist_append", offsetof(struct curl_lib, slist_append)},
	{"curl_slist_free_all", offsetof(struct curl_lib, slist_free_all)},
};

static int load(struct curl_lib *lib, struct failure *failure)
{
	void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		const char *why = dlerror();
		return failure_set(failure, STATUS_FAILED,
				   "cannot load libcurl: %s; install the package libcurl4 (Debian) "
				   "or libcurl (RHEL)",
				   why ? why : "unknown");
	}
	for (size_t i = 0; i < sizeof(symbols) / sizeof(*symbols); i++) {
		void *symbol = dlsym(handle, symbols[i].symbol);
		if (!symbol)
			return failure_set(
				failure, STATUS_FAILED,
				"libcurl has no %s: it is too old; install version 7.68 or newer",
				symbols[i].symbol);
		memcpy((char *)lib + symbols[i].offset, &symbol, sizeof(symbol));
	}
	CURLcode code = lib->global_init(CURL_GLOBAL_DEFAULT);
	if (code != CURLE_OK)
		return failure_set(failure, STATUS_FAILED, "cannot initialize libcurl: %s",
				   lib->easy_strerror(code));
	return 0;
}

const struct curl_lib *curl_lib(struct failure *failure)
{
	static struct curl_lib lib;
	static int loaded;
	if (!loaded && load(&lib, failure) < 0)
		return NULL;
	loaded = 1;
	return &lib;
}
