#ifndef GS_AUTHORITIES_H
#define GS_AUTHORITIES_H

/*
 * The certificate authorities of the system, for a libcurl that was built for another one: the
 * tarball's was built on Debian, and runs on RHEL and SUSE too.
 */

/* Where distributions have them, in one file; ends with NULL. */
extern const char *const authorities_places[];

/* The file to trust in place of built_in, libcurl's own (NULL: it has none). NULL if built_in is
 * there, or nothing else; otherwise the one that SSL_CERT_FILE or CURL_CA_BUNDLE names, or the
 * first of places that can be read. */
const char *authorities_find(const char *built_in, const char *const places[]);

#endif
