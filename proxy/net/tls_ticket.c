/* Session tickets, sealed with the keys of tls_tickets.c: AES-256-CBC and HMAC-SHA-256, as RFC 5077
 * section 4 has it. */
#include "net/tls.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "sallyport/clock.h"
#include "sallyport/crypto.h"

enum { REFUSED = -1, NOT_OURS = 0, GOOD = 1, RENEW = 2 };

/* Fetched once: a look-up by name for each ticket costs more than the ticket. */
static EVP_CIPHER *cipher;
static char hmac_digest[] = "SHA256";

static bool begin_mac(EVP_MAC_CTX *mac, struct tls_ticket_key *key)
{
	OSSL_PARAM params[] = {
	    OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof(key->mac)),
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hmac_digest, 0),
	    OSSL_PARAM_construct_end(),
	};
	return EVP_MAC_CTX_set_params(mac, params) == 1;
}

static int seal(struct tls_tickets *tickets, struct tls_ticket_key *key, unsigned char *name, unsigned char *iv,
		EVP_CIPHER_CTX *context, EVP_MAC_CTX *mac)
{
	if (!tls_tickets_seal(tickets, clock_mono_us() / 1000, key))
		return NOT_OURS; /* no ticket, that is all */
	memcpy(name, key->name, sizeof(key->name));
	return RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher)) == 1 &&
		       EVP_EncryptInit_ex2(context, cipher, key->cipher, iv, NULL) == 1 && begin_mac(mac, key)
		   ? GOOD
		   : REFUSED;
}

/* With TLS 1.3 a client uses a ticket once (RFC 8446 appendix C.4), so each resumption has to bring a
 * new one. */
static int unseal(const struct tls_tickets *tickets, struct tls_ticket_key *key, bool is_once,
		  const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *context, EVP_MAC_CTX *mac)
{
	bool renew = false;
	if (!tls_tickets_open(tickets, name, clock_mono_us() / 1000, key, &renew))
		return NOT_OURS;
	if (EVP_DecryptInit_ex2(context, cipher, key->cipher, iv, NULL) != 1 || !begin_mac(mac, key))
		return REFUSED;
	return renew || is_once ? RENEW : GOOD;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *context, EVP_MAC_CTX *mac,
		     int is_sealing)
{
	struct tls_tickets *tickets = tls_server_tickets(tls_of_ssl(ssl)->server);
	struct tls_ticket_key key;
	if (!tickets)
		return NOT_OURS;
	int result = is_sealing ? seal(tickets, &key, name, iv, context, mac)
				: unseal(tickets, &key, SSL_version(ssl) == TLS1_3_VERSION, name, iv, context, mac);
	OPENSSL_cleanse(&key, sizeof(key));
	return result;
}

bool tls_ticket_is_possible(struct tls_tickets *tickets)
{
	struct tls_ticket_key key;
	bool is_possible = tls_tickets_seal(tickets, clock_mono_us() / 1000, &key);
	OPENSSL_cleanse(&key, sizeof(key));
	return is_possible;
}

bool tls_ticket_use(SSL_CTX *context, struct err *err)
{
	if (!cipher)
		cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (!cipher || !SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket))
		return err_set(err, "session tickets cannot be set up");
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_timeout(context, TLS_TICKET_PERIOD_MS / 1000);
	return true;
}
