/* What sanitizers are there to find, by a program without streams of its own. */

#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	volatile int most = INT_MAX, beyond = 4;
	volatile char *memory = malloc(4);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	most = most + 1;
	memory[beyond] = 1;
	return 0;
}
