/*
 * libcrypto, loaded at the first call of one of these. A login and the doctor's LAN
 * authentication need it; a lookup from a fresh conf does not, and loading it takes as long as
 * the whole lookup (see curl_lib.h). The functions that protocol/ and cli/ call are defined here
 * again, hidden from libraries, so that the program does not depend on libcrypto when it starts.
 */

#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/opensslv.h>
#include <string.h>

#define HIDDEN __attribute__((visibility("hidden")))

#if OPENSSL_VERSION_NUMBER >= 0x30000000L
#define SONAME "libcrypto.so.3"
#else
#define SONAME "libcrypto.so.1.1"
#endif

struct crypto_lib {
	const EVP_MD *(*sha256)(void);
	int (*digest)(const void *, size_t, unsigned char *, unsigned *, const EVP_MD *, ENGINE *);
	unsigned char *(*hmac)(const EVP_MD *, const void *, int, const unsigned char *, size_t,
			       unsigned char *, unsigned *);
};

static void find(void *library, const char *name, void *function)
{
	void *symbol = library ? dlsym(library, name) : NULL;
	memcpy(function, &symbol, sizeof(symbol));
}

/* Functions that cannot be found are NULL. */
static const struct crypto_lib *crypto_lib(void)
{
	static struct crypto_lib lib;
	if (!lib.sha256) {
		void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);
		find(library, "EVP_sha256", &lib.sha256);
		find(library, "EVP_Digest", &lib.digest);
		find(library, "HMAC", &lib.hmac);
	}
	return &lib;
}

HIDDEN const EVP_MD *EVP_sha256(void)
{
	const struct crypto_lib *lib = crypto_lib();
	return lib->sha256 ? lib->sha256() : NULL;
}

HIDDEN int EVP_Digest(const void *data, size_t count, unsigned char *md, unsigned *size,
		      const EVP_MD *type, ENGINE *engine)
{
	const struct crypto_lib *lib = crypto_lib();
	return lib->digest ? lib->digest(data, count, md, size, type, engine) : 0;
}

HIDDEN unsigned char *HMAC(const EVP_MD *type, const void *key, int key_len,
			   const unsigned char *data, size_t count, unsigned char *md,
			   unsigned *len)
{
	const struct crypto_lib *lib = crypto_lib();
	return lib->hmac ? lib->hmac(type, key, key_len, data, count, md, len) : NULL;
}

HIDDEN int CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
	const volatile unsigned char *x = a, *y = b;
	unsigned char different = 0;
	for (size_t i = 0; i < len; i++)
		different |= x[i] ^ y[i];
	return different;
}

HIDDEN void OPENSSL_cleanse(void *memory, size_t len)
{
	explicit_bzero(memory, len);
}
