#include "cli/base/authorities.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

const char *const authorities_places[] = {
	"/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Alpine */
	"/etc/pki/tls/certs/ca-bundle.crt",                  /* RHEL and Fedora, older */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* and newer */
	"/etc/ssl/ca-bundle.pem",                            /* SUSE */
	"/var/lib/ca-certificates/ca-bundle.pem",            /* where SUSE's link leads */
	NULL,
};

const char *authorities_find(const char *built_in, const char *const places[])
{
	static const char *const variables[] = {"SSL_CERT_FILE", "CURL_CA_BUNDLE"};
	if (!built_in || access(built_in, R_OK) == 0)
		return NULL;
	for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
		const char *named = getenv(variables[i]);
		if (named && *named)
			return named;
	}
	while (*places && access(*places, R_OK) < 0)
		places++;
	return *places;
}
