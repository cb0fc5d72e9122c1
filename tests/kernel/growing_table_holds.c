/* notify.c: a table that two share grows, by an ADDFD, only after all processors have passed a
 * quiet point, and meanwhile the filter's lock is held. What asks for the lock then is ended by a
 * signal, with EINTR, and has done nothing. */

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "tests/kernel/growing.h"

#define TABLES 200

/* While a table grows: how often is a question about the call interrupted? */
static int grow_one(void)
{
	struct growing growing;
	int interrupted = 0;
	growing_begin(&growing);
	while (growing_goes_on(&growing)) {
		uint64_t id = growing.notif.id;
		int error =
			error_of(ioctl(growing.watched.notify, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
		expect(error == 0 || error == EINTR, "ID_VALID: %s", strerror(error));
		interrupted += error == EINTR;
	}
	growing_stop();
	int error = give(growing.watched.notify, growing.notif.id, 0, 0);
	expect(error == 0, "SEND: %s", strerror(error));
	growing_end(&growing);
	return interrupted;
}

int main(void)
{
	believe("while a shared table grows, a signal ends what asks about the call, with EINTR");
	int interrupted = 0, tables = 0;
	while (interrupted == 0 && tables++ < TABLES)
		interrupted = grow_one();
	seen("%d were interrupted while table %d grew", interrupted, tables);
	expect(interrupted, "none was interrupted while %d tables grew", TABLES);
	return it_holds();
}
