/* Sealed memory shared by processes. A mapping is given out only for an object
 * that nobody can shrink any more: a process that holds the same descriptor can
 * spoil the contents, but cannot make the reader fault. */
#include "sallyport/shm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sallyport/files.h"

enum { SHM_SEALS = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

static int create_unsealed(const char *name, size_t size, struct err *err)
{
	if (size == 0 || size > INT64_MAX) {
		err_set(err, "shared memory '%s': no size", name);
		return -1;
	}
	int fd = memfd_create(name, MFD_ALLOW_SEALING | MFD_CLOEXEC);
	if (fd < 0) {
		err_set(err, "shared memory '%s': memfd_create: %s", name, strerror(errno));
		return -1;
	}
	if (ftruncate(fd, (off_t)size) != 0) {
		err_set(err, "shared memory '%s' of %zu bytes: %s", name, size, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int shm_publish(const char *name, size_t size, void **memory, struct err *err)
{
	int fd = create_unsealed(name, size, err);
	if (fd < 0)
		return -1;
	*memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*memory == MAP_FAILED) {
		err_set(err, "shared memory '%s' of %zu bytes: mmap: %s", name, size,
			strerror(errno));
		close(fd);
		return -1;
	}
	if (fcntl(fd, F_ADD_SEALS, SHM_SEALS | F_SEAL_FUTURE_WRITE) == 0 ||
	    (errno == EINVAL && fcntl(fd, F_ADD_SEALS, SHM_SEALS) == 0))
		return fd;
	err_set(err, "shared memory '%s': %s", name, strerror(errno));
	munmap(*memory, size);
	close(fd);
	return -1;
}

int shm_constant(const char *name, const void *data, size_t size, struct err *err)
{
	int fd = create_unsealed(name, size, err);
	if (fd < 0 ||
	    (file_write_all(fd, data, size) && fcntl(fd, F_ADD_SEALS, SHM_SEALS | F_SEAL_WRITE) == 0))
		return fd;
	err_set(err, "shared memory '%s' of %zu bytes: %s", name, size, strerror(errno));
	close(fd);
	return -1;
}

const void *shm_map_constant(int fd, size_t size, struct err *err)
{
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals >= 0 && !(seals & F_SEAL_WRITE)) {
		err_set(err, "shared memory %d is not constant", fd);
		return NULL;
	}
	return shm_map(fd, size, false, err);
}

int shm_create(const char *name, size_t size, struct err *err)
{
	int fd = create_unsealed(name, size, err);
	if (fd < 0 || fcntl(fd, F_ADD_SEALS, SHM_SEALS) == 0)
		return fd;
	err_set(err, "shared memory '%s': %s", name, strerror(errno));
	close(fd);
	return -1;
}

void *shm_map(int fd, size_t size, bool writable, struct err *err)
{
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || fstat(fd, &st) != 0) {
		err_set(err, "descriptor %d is no shared memory: %s", fd, strerror(errno));
		return NULL;
	}
	if ((seals & SHM_SEALS) != SHM_SEALS) {
		err_set(err, "shared memory %d is not sealed", fd);
		return NULL;
	}
	if (size == 0 || (uint64_t)st.st_size < size) {
		err_set(err, "shared memory %d has %lld bytes, not %zu", fd, (long long)st.st_size,
			size);
		return NULL;
	}
	int rights = writable ? PROT_READ | PROT_WRITE : PROT_READ;
	void *memory = mmap(NULL, size, rights, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		err_set(err, "shared memory %d of %zu bytes: mmap: %s", fd, size, strerror(errno));
		return NULL;
	}
	return memory;
}
