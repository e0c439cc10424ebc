/* Files of TLS: read whole, bounded, regular ones only; what may hold a key is wiped. */
#include "net/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_all(int fd, unsigned char *bytes, size_t len)
{
	size_t off = 0;
	while (off < len) {
		ssize_t n = read(fd, bytes + off, len - off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO; /* it became shorter meanwhile */
		if (n <= 0)
			return false;
		off += (size_t)n;
	}
	return true;
}

static unsigned char *read_open(int fd, const char *path, size_t *len, struct err *err)
{
	struct stat st;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		err_set(err, "%s is not a file", path);
		return NULL;
	}
	if (st.st_size == 0 || st.st_size > TLS_FILE_MAX) {
		err_set(err, st.st_size ? "%s has more than 1 MiB" : "%s is empty", path);
		return NULL;
	}
	*len = (size_t)st.st_size;
	unsigned char *bytes = malloc(*len);
	if (bytes && read_all(fd, bytes, *len))
		return bytes;
	tls_file_release(bytes, *len);
	err_set(err, "%s cannot be read: %s", path, strerror(errno));
	return NULL;
}

unsigned char *tls_file_read(const char *path, size_t *len, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		err_set(err, "%s cannot be read: %s", path, strerror(errno));
		return NULL;
	}
	unsigned char *bytes = read_open(fd, path, len, err);
	close(fd);
	return bytes;
}

void tls_file_release(unsigned char *bytes, size_t len)
{
	if (bytes)
		OPENSSL_cleanse(bytes, len);
	free(bytes);
}

STACK_OF(X509) *tls_file_certificates(const unsigned char *pem, size_t len)
{
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	STACK_OF(X509) *all = sk_X509_new_null();
	X509 *certificate;
	ERR_clear_error();
	while (bio && all && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (!sk_X509_push(all, certificate)) {
			X509_free(certificate);
			break;
		}
	}
	/* The end of the text is the one error that is none. */
	bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	BIO_free(bio);
	ERR_clear_error();
	if (all && is_end && sk_X509_num(all) > 0)
		return all;
	sk_X509_pop_free(all, X509_free);
	return NULL;
}

/* There is nobody to ask, and a password in a policy would protect nothing. */
static int refuse_password(char *buf, int size, int is_writing, void *asked)
{
	(void)buf;
	(void)size;
	(void)is_writing;
	*(bool *)asked = true;
	return -1;
}

EVP_PKEY *tls_file_key(const char *path, struct err *err)
{
	size_t len;
	bool is_encrypted = false;
	unsigned char *pem = tls_file_read(path, &len, err);
	if (!pem)
		return NULL;
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	ERR_clear_error();
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, refuse_password, &is_encrypted) : NULL;
	BIO_free(bio);
	ERR_clear_error();
	tls_file_release(pem, len);
	if (!key && is_encrypted)
		err_set(err, "%s is encrypted, and nobody is there to give a password: decrypt it with "
			     "openssl pkey", path);
	else if (!key)
		err_set(err, "%s holds no private key in PEM form", path);
	return key;
}
