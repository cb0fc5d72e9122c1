#include "shim/next.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

/* glibc's __RTLD_DLOPEN, which its own callers of the function below set */
#define RTLD_FROM_LIBC 0x80000000

/* All three are weak, so that a libc without them still loads the shim. glibc before 2.34 has
 * dlsym() in libdl, which a program need not have loaded, and the other two in libc. */
extern void *dlsym(void *restrict handle, const char *restrict name) __attribute__((weak));
extern void *__libc_dlopen_mode(const char *name, int mode) __attribute__((weak));
extern void *__libc_dlsym(void *handle, const char *name) __attribute__((weak));

typedef void *dlsym_fn(void *restrict handle, const char *restrict name);

static const char absent;

static dlsym_fn *find_dlsym(void)
{
	if (dlsym)
		return dlsym;
	if (!__libc_dlopen_mode || !__libc_dlsym)
		return NULL;
	void *libdl = __libc_dlopen_mode("libdl.so.2", (int)(RTLD_NOW | RTLD_FROM_LIBC));
	return libdl ? (dlsym_fn *)__libc_dlsym(libdl, "dlsym") : NULL;
}

void *next_find(struct next *next)
{
	void *found = atomic_load_explicit(&next->found, memory_order_acquire);
	if (!found) {
		int saved = errno;
		dlsym_fn *lookup = find_dlsym();
		/* Never as a tail call: RTLD_NEXT goes by the address that dlsym() returns to. */
		found = lookup ? lookup(RTLD_NEXT, next->name) : NULL;
		if (!found)
			found = (void *)&absent;
		atomic_store_explicit(&next->found, found, memory_order_release);
		errno = saved;
	}
	return found == &absent ? NULL : found;
}

/* The compiler calls these three by itself, to copy and clear structs, and what it calls so cannot
 * be weak: they are here, and nobody outside sees them. The barrier keeps each from being compiled
 * into a call of itself. */
void *memcpy(void *restrict to, const void *restrict from, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		((char *)to)[i] = ((const char *)from)[i];
		__asm__ volatile("" ::: "memory");
	}
	return to;
}

void *memset(void *to, int byte, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		((char *)to)[i] = (char)byte;
		__asm__ volatile("" ::: "memory");
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t len)
{
	const unsigned char *left = a, *right = b;
	for (; len > 0 && *left == *right; len--, left++, right++)
		__asm__ volatile("" ::: "memory");
	return len > 0 ? *left - *right : 0;
}
