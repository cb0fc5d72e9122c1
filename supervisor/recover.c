#include "supervisor/supervisor.h"

void recover(struct supervisor *s)
{
	(void)s;
}
