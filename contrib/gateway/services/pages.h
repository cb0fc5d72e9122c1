#ifndef GW_PAGES_H
#define GW_PAGES_H

/* Lists in pages: page[limit] and page[marker], and the link to the next page. */

#include "contrib/gateway/services/request.h"

#define PAGE_DEFAULT 100
#define PAGE_MAX     1000

struct page {
	size_t skip, limit;
};

/* Read what the query says: true, or false with a 422 answer. */
bool page_read(const struct request *request, struct page *page, struct answer *answer);

/* Whether a filter of the query is a boolean, or is not there: true, or false with a 422 answer. */
bool filter_check(const struct request *request, const char *name, struct answer *answer);

/* {"data": […], "links": {"next": …} or null, "meta": …}. data is all that there is, page by page:
 * what does not belong to the page is taken out; it is the answer's. */
struct answer page_answer(const struct gateway *gateway, const struct request *request,
			  const struct page *page, cJSON *data);

#endif
