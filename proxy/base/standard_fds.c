/* Standard input, output and error are there, whoever started us. */
#include "sallyport/standard_fds.h"

#include <fcntl.h>
#include <unistd.h>

bool standard_fds_open(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest number that is free; inherited, as any of the three is. */
		if (open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY) != fd)
			return false;
	}
	return true;
}
