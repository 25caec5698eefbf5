/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* handle.c -- wire handles: made from kernel handles, and checked when they come back */
#include "owner/handle.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "log.h"

/* Bytes in front of the MAC: volume id and type. */
#define PREFIX 6

/* One MAC context per thread: making one costs more than the MAC itself. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t context_key;
static EVP_MAC *algorithm;

static void context_free(void *context)
{
	EVP_MAC_CTX_free(context);
}

static void algorithm_fetch(void)
{
	algorithm = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	if (pthread_key_create(&context_key, context_free) != 0) {
		EVP_MAC_free(algorithm);
		algorithm = NULL;
	}
}

static EVP_MAC_CTX *context_get(void)
{
	pthread_once(&once, algorithm_fetch);
	if (algorithm == NULL)
		return NULL;
	EVP_MAC_CTX *context = pthread_getspecific(context_key);
	if (context != NULL)
		return context;

	size_t size = HANDLE_MAC_SIZE;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t("size", &size),
		OSSL_PARAM_construct_end() };
	context = EVP_MAC_CTX_new(algorithm);
	if (context == NULL || !EVP_MAC_CTX_set_params(context, params) ||
		pthread_setspecific(context_key, context) != 0) {
		EVP_MAC_CTX_free(context);
		return NULL;
	}
	return context;
}

/* SipHash-2-4 over volume id, type and kernel handle. */
static int mac_compute(const struct handle_maker *maker, const uint8_t prefix[PREFIX],
	const uint8_t *kernel, size_t length, uint8_t mac[HANDLE_MAC_SIZE])
{
	EVP_MAC_CTX *context = context_get();
	size_t size = 0;

	if (context == NULL || !EVP_MAC_init(context, maker->key, HANDLE_KEY_SIZE, NULL) ||
		!EVP_MAC_update(context, prefix, PREFIX) ||
		!EVP_MAC_update(context, kernel, length) ||
		!EVP_MAC_final(context, mac, &size, HANDLE_MAC_SIZE) || size != HANDLE_MAC_SIZE) {
		xfer_error("OpenSSL can't compute SipHash: its default provider must be available");
		return -EIO;
	}
	return 0;
}

int handle_encode(const struct handle_maker *maker, const union kernel_handle *kernel,
	struct xfer_handle *handle)
{
	size_t skip = PREFIX + (maker->mac ? HANDLE_MAC_SIZE : 0);
	size_t length = kernel->fh.handle_bytes;
	int type = kernel->fh.handle_type;

	/* 0x7fff with XFER_HANDLE_NO_MAC would read as ROOT. */
	if (type < 0 || type >= 0x7fff)
		return -EOPNOTSUPP;
	if (skip + length > XFER_HANDLE_MAX)
		return -EOVERFLOW;

	struct xfer_handle made = { .len = (uint32_t)(skip + length) };
	uint32_t wire_type = (uint32_t)type | (maker->mac ? 0 : XFER_HANDLE_NO_MAC);
	for (int i = 0; i < 4; i++)
		made.data[i] = (uint8_t)(maker->volume_id >> (24 - 8 * i));
	made.data[4] = (uint8_t)(wire_type >> 8);
	made.data[5] = (uint8_t)wire_type;
	memcpy(made.data + skip, kernel->fh.f_handle, length);
	if (maker->mac) {
		int err = mac_compute(
			maker, made.data, kernel->fh.f_handle, length, made.data + PREFIX);
		if (err < 0)
			return err;
	}
	*handle = made;
	return 0;
}

int handle_decode(const struct handle_maker *maker, const struct xfer_handle *handle, bool *root,
	union kernel_handle *kernel)
{
	size_t skip = PREFIX + (maker->mac ? HANDLE_MAC_SIZE : 0);
	uint32_t volume_id;

	if (handle->len < PREFIX || handle->len > XFER_HANDLE_MAX ||
		!xfer_handle_volume(handle, &volume_id) || volume_id != maker->volume_id)
		return HANDLE_BAD;
	uint32_t type = (uint32_t)handle->data[4] << 8 | handle->data[5];
	if (type == XFER_HANDLE_ROOT) {
		if (handle->len != PREFIX)
			return HANDLE_BAD;
		*root = true;
		return 0;
	}
	if (handle->len <= skip || ((type & XFER_HANDLE_NO_MAC) != 0) == maker->mac)
		return HANDLE_BAD;

	const uint8_t *bytes = handle->data + skip;
	size_t length = handle->len - skip;
	if (maker->mac) {
		uint8_t mac[HANDLE_MAC_SIZE];
		int err = mac_compute(maker, handle->data, bytes, length, mac);
		if (err < 0)
			return err;
		if (CRYPTO_memcmp(mac, handle->data + PREFIX, HANDLE_MAC_SIZE) != 0)
			return HANDLE_BAD;
	}
	kernel->fh.handle_bytes = (unsigned)length;
	kernel->fh.handle_type = (int)(type & ~XFER_HANDLE_NO_MAC);
	memcpy(kernel->fh.f_handle, bytes, length);
	*root = false;
	return 0;
}
