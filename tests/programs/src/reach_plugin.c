/* A plugin of reach.c, which is loaded with RTLD_DEEPBIND. */

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

#include "reach.h"

__attribute__((visibility("default"))) int reach_new(const char *host, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
	char text[256], back[256];
	int rc = getaddrinfo(host, port, &hints, &list);
	if (rc == 0)
		rc = getnameinfo(list->ai_addr, list->ai_addrlen, text, sizeof(text), NULL, 0,
				 NI_NUMERICHOST);
	if (rc == 0)
		rc = getnameinfo(list->ai_addr, list->ai_addrlen, back, sizeof(back), NULL, 0,
				 NI_NAMEREQD);
	if (rc)
		printf("%s\n", gai_strerror(rc));
	else
		printf("%s\n%s\n", text, back);
	return rc != 0;
}

__attribute__((visibility("default"))) int reach_old(const char *host, const char *port)
{
	char text[INET6_ADDRSTRLEN];
	struct hostent *found = gethostbyname(host);
	if (!found || port[0] == '\0') {
		printf("%s\n", hstrerror(h_errno));
		return 1;
	}
	printf("%s\n", inet_ntop(found->h_addrtype, found->h_addr_list[0], text, sizeof(text)));
	found = gethostbyaddr(found->h_addr_list[0], (socklen_t)found->h_length, AF_INET);
	printf("%s\n", found ? found->h_name : "-");
	/* of another family there is none, wherever the name really leads */
	found = gethostbyname2(host, AF_INET6);
	printf("%s\n", found ? "IPv6" : "-");
	return 0;
}
