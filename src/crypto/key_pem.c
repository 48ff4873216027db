/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenSSL allocates on the way lies in the vault. */

#include "crypto/key_pem.h"

#include "crypto/identity_internal.h"
#include "crypto/library.h"
#include "crypto/sealed.h"
#include "crypto/secret.h"
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

#define SEALED "-----BEGIN ENCRYPTED PRIVATE KEY-----"
#define IV_LEN 16

/* Instead of OpenSSL's own, which would ask at the terminal. */
static int no_password(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

/* ---- writing ---- */

static X509_SIG *seal(const struct identity *me, const char *passphrase)
{
    uint8_t salt[SEALED_SALT_LEN], iv[IV_LEN];
    X509_ALGOR *how;
    X509_SIG *sealed = NULL;

    secret_random(salt, sizeof(salt));
    secret_random(iv, sizeof(iv));
    PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(identity_pkey(me));
    how = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt, sizeof(salt), iv, SEALED_SCRYPT_N, SEALED_SCRYPT_R,
                                SEALED_SCRYPT_P);
    if (plain && how)
        sealed = PKCS8_set0_pbe_ex(passphrase, (int)strlen(passphrase), plain, how, library_context(), NULL);
    if (!sealed)
        X509_ALGOR_free(how);
    PKCS8_PRIV_KEY_INFO_free(plain);
    return sealed;
}

static bool write_sealed(BIO *bio, const struct identity *me, const char *passphrase)
{
    X509_SIG *sealed = seal(me, passphrase);
    bool ok = sealed && PEM_write_bio_PKCS8(bio, sealed) == 1;

    X509_SIG_free(sealed);
    return ok;
}

static int copy(BIO *bio, char *out, size_t *len)
{
    char *pem;
    long n = BIO_get_mem_data(bio, &pem);

    if (n <= 0 || n >= KEY_PEM_MAX)
        return ERR_CRYPTO;
    memcpy(out, pem, (size_t)n);
    out[n] = '\0';
    *len = (size_t)n;
    return 0;
}

int key_pem_encode(const struct identity *me, const char *passphrase, char *out, size_t *len)
{
    int err = ERR_NOMEM;
    BIO *bio;
    bool ok;

    library_begin_secret();
    bio = BIO_new(BIO_s_secmem()); /* wiped when freed */
    if (!bio)
        goto out;
    ok = passphrase ? write_sealed(bio, me, passphrase)
                    : PEM_write_bio_PKCS8PrivateKey(bio, identity_pkey(me), NULL, NULL, 0, NULL, NULL) == 1;
    err = ok ? copy(bio, out, len) : library_error(ERR_CRYPTO);
    ERR_clear_error();
out:
    BIO_free(bio);
    library_end_secret();
    return err;
}

/* ---- reading ---- */

bool key_pem_is_sealed(const char *pem, size_t len)
{
    return len >= sizeof(SEALED) - 1 && memcmp(pem, SEALED, sizeof(SEALED) - 1) == 0;
}

static EVP_PKEY *read_sealed(BIO *bio, const char *passphrase, int *err)
{
    X509_SIG *sealed = PEM_read_bio_PKCS8(bio, NULL, no_password, NULL);
    PKCS8_PRIV_KEY_INFO *plain = NULL;
    EVP_PKEY *pkey = NULL;

    *err = ERR_FORMAT;
    if (sealed) {
        *err = ERR_MISMATCH;
        plain = PKCS8_decrypt_ex(sealed, passphrase, (int)strlen(passphrase), library_context(), NULL);
    }
    if (plain) {
        *err = ERR_FORMAT;
        pkey = EVP_PKCS82PKEY_ex(plain, library_context(), NULL);
    }
    PKCS8_PRIV_KEY_INFO_free(plain);
    X509_SIG_free(sealed);
    return pkey;
}

int key_pem_decode(const char *pem, size_t len, const char *passphrase, struct identity **out)
{
    EVP_PKEY *pkey = NULL;
    int err = ERR_FORMAT;
    BIO *bio;

    library_begin_secret();
    bio = BIO_new_mem_buf(pem, (int)len);
    if (bio && passphrase)
        pkey = read_sealed(bio, passphrase, &err);
    else if (bio)
        pkey = PEM_read_bio_PrivateKey_ex(bio, NULL, no_password, NULL, library_context(), NULL);
    BIO_free(bio);
    library_end_secret();
    if (!bio)
        return ERR_NOMEM;
    ERR_clear_error();
    if (pkey)
        err = identity_from_pkey(pkey, out);
    return err ? library_error(err) : 0;
}
