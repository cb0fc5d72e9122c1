/*
 * What a fault point does in a test build. The file that GS_FAULT_FILE names is mapped here and by
 * the test, which writes the name of a point into it ("*": whichever), how often it is to be passed
 * first, and what happens then; and more of these, for the supervisors that come next. Once
 * all has happened the first name is empty.
 */

#include "supervisor/base/fault.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { END = 1, HOLD = 2, ORDERS = 5 };

static volatile struct order {
	char name[56];
	_Atomic int first; /* passes before it happens */
	int what;
} * order;

/* Before the launcher forks its keeper: all of its processes have the one mapping. */
__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("GS_FAULT_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	order = mmap(NULL, ORDERS * sizeof(*order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (order == MAP_FAILED)
		order = NULL;
}

static bool meant(const char *name)
{
	const char *wanted = (const char *)order->name;
	return *wanted && (strcmp(wanted, "*") == 0 || strcmp(wanted, name) == 0);
}

static void take_next(void)
{
	order[0].first = order[1].first;
	order[0].what = order[1].what;
	for (int i = 0; i < ORDERS - 1; i++)
		for (size_t at = 0; at < sizeof(order->name); at++)
			order[i].name[at] = order[i + 1].name[at];
	for (int i = 1; i < ORDERS - 1; i++) {
		order[i].first = order[i + 1].first;
		order[i].what = order[i + 1].what;
	}
	order[ORDERS - 1].name[0] = '\0';
}

/* No system calls: a confined supervisor has few. */
void fault_point(const char *name)
{
	static int *volatile nowhere;
	if (!order || !meant(name) || order->first-- > 0)
		return;
	if (order->what == END) {
		take_next();
#ifdef __SANITIZE_ADDRESS__
		__builtin_trap(); /* the other is taken for a finding */
#endif
		*nowhere = 0;
	}
	memcpy((char *)order->name, "held", 5);
	while (order->name[0])
		;
}
