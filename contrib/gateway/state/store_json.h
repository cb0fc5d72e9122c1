#ifndef GW_STORE_JSON_H
#define GW_STORE_JSON_H

/* The store as the text of its file: one JSON object. */

#include "contrib/gateway/state/store.h"

/* NULL: no memory. It holds secrets: free it with store_free_text(). */
char *store_format(const struct store *store);
void store_free_text(char *text);

/* Read it back into a store that is all zeros. 0; -EINVAL: not such a text, or one that was written
 * by another version; the store is then to be finished. */
int store_parse(struct store *store, const char *text);

#endif
