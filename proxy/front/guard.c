/* The guard's side of a worker: the newest baseline. */
#include "sallyport/worker.h"

#include <unistd.h>

void front_set_baseline(struct front *front, int fd, uint64_t bytes,
			const uint8_t key[SIGN_PUBLIC_SIZE])
{
	(void)front;
	(void)bytes;
	(void)key;
	close(fd);
}
