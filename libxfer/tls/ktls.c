/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* ktls.c -- TLS records made and opened by the kernel */

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "tls/ktls.h"

#define ALERT_RECORD 21

#define PROBE_WAIT_S 2 /* for a byte over loopback */

union crypto_info {
	struct tls_crypto_info head;
	struct tls12_crypto_info_aes_gcm_128 aes_128;
	struct tls12_crypto_info_aes_gcm_256 aes_256;
	struct tls12_crypto_info_chacha20_poly1305 chacha20;
};

static socklen_t info_len(enum xfer_tls_cipher cipher)
{
	switch (cipher) {
	case XFER_TLS_AES_128_GCM:
		return sizeof(struct tls12_crypto_info_aes_gcm_128);
	case XFER_TLS_AES_256_GCM:
		return sizeof(struct tls12_crypto_info_aes_gcm_256);
	default:
		return sizeof(struct tls12_crypto_info_chacha20_poly1305);
	}
}

static uint8_t *info_sequence(union crypto_info *info, enum xfer_tls_cipher cipher)
{
	switch (cipher) {
	case XFER_TLS_AES_128_GCM:
		return info->aes_128.rec_seq;
	case XFER_TLS_AES_256_GCM:
		return info->aes_256.rec_seq;
	default:
		return info->chacha20.rec_seq;
	}
}

/* GCM's IV comes in two parts: 4 bytes of salt, 8 of IV. */
static void info_fill(union crypto_info *info, enum xfer_tls_cipher cipher,
	const struct xfer_tls_direction *direction)
{
	uint64_t sequence = htobe64(direction->sequence);

	memset(info, 0, sizeof(*info));
	info->head.version = TLS_1_3_VERSION;
	switch (cipher) {
	case XFER_TLS_AES_128_GCM:
		info->head.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(info->aes_128.salt, direction->iv, sizeof(info->aes_128.salt));
		memcpy(info->aes_128.iv, direction->iv + sizeof(info->aes_128.salt),
			sizeof(info->aes_128.iv));
		memcpy(info->aes_128.key, direction->key, sizeof(info->aes_128.key));
		break;
	case XFER_TLS_AES_256_GCM:
		info->head.cipher_type = TLS_CIPHER_AES_GCM_256;
		memcpy(info->aes_256.salt, direction->iv, sizeof(info->aes_256.salt));
		memcpy(info->aes_256.iv, direction->iv + sizeof(info->aes_256.salt),
			sizeof(info->aes_256.iv));
		memcpy(info->aes_256.key, direction->key, sizeof(info->aes_256.key));
		break;
	default:
		info->head.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		memcpy(info->chacha20.iv, direction->iv, sizeof(info->chacha20.iv));
		memcpy(info->chacha20.key, direction->key, sizeof(info->chacha20.key));
	}
	memcpy(info_sequence(info, cipher), &sequence, sizeof(sequence));
}

static int install(
	int fd, int which, enum xfer_tls_cipher cipher, const struct xfer_tls_direction *direction)
{
	union crypto_info info;
	int err;

	info_fill(&info, cipher, direction);
	err = setsockopt(fd, SOL_TLS, which, &info, info_len(cipher)) ? -errno : 0;
	OPENSSL_cleanse(&info, sizeof(info));
	return err;
}

int xfer_ktls_prepare(int fd)
{
	return setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) ? -errno : 0;
}

int xfer_ktls_install(int fd, const struct xfer_tls_keys *keys, const char **step)
{
	int err;

	*step = "sending";
	err = install(fd, TLS_TX, keys->cipher, &keys->tx);
	if (err)
		return err;
	*step = "receiving";
	return install(fd, TLS_RX, keys->cipher, &keys->rx);
}

int xfer_ktls_close_notify(int fd)
{
	uint8_t alert[2] = { 1, 0 }; /* a warning: close_notify */
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(1)];
	} control = { 0 };
	struct iovec iov = { alert, sizeof(alert) };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_TLS;
	cmsg->cmsg_type = TLS_SET_RECORD_TYPE;
	cmsg->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cmsg) = ALERT_RECORD;
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* The kernel gives the key along with the number, so what came is wiped. */
static int records_of(int fd, int which, enum xfer_tls_cipher cipher, uint64_t *records)
{
	union crypto_info info = { 0 };
	socklen_t len = info_len(cipher);
	uint64_t sequence;
	int err = getsockopt(fd, SOL_TLS, which, &info, &len) ? -errno : 0;

	memcpy(&sequence, info_sequence(&info, cipher), sizeof(sequence));
	OPENSSL_cleanse(&info, sizeof(info));
	if (err == 0)
		*records = be64toh(sequence);
	return err;
}

int xfer_ktls_records(int fd, enum xfer_tls_cipher cipher, uint64_t *records)
{
	uint64_t sent, received;
	int err = records_of(fd, TLS_TX, cipher, &sent);

	if (err == 0)
		err = records_of(fd, TLS_RX, cipher, &received);
	if (err == 0)
		*records = sent > received ? sent : received;
	return err;
}

/* --- the probe ---------------------------------------------------------------------------------- */

/* A TCP connection to ourselves; -errno with *step. */
static int connect_pair(int pair[2], const char **step)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval wait = { .tv_sec = PROBE_WAIT_S };
	socklen_t len = sizeof(sin);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;

	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	pair[1] = -1;
	*step = "no connection over 127.0.0.1 can be made (is lo up?)";
	if (listener < 0 || pair[0] < 0 ||
		setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) ||
		setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
		bind(listener, (struct sockaddr *)&sin, sizeof(sin)) || listen(listener, 1) ||
		getsockname(listener, (struct sockaddr *)&sin, &len) ||
		connect(pair[0], (struct sockaddr *)&sin, sizeof(sin)) ||
		(pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0 ||
		setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) ||
		setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)))
		err = -errno;
	if (listener >= 0)
		close(listener);
	return err;
}

/* -EIO: what arrived is something else. */
static int pass_text(int from, int to)
{
	static const char text[] = "one record";
	char got[sizeof(text)] = { 0 };

	if (send(from, text, sizeof(text), MSG_NOSIGNAL) != sizeof(text))
		return -errno;
	if (recv(to, got, sizeof(got), MSG_WAITALL) != sizeof(got))
		return -errno;
	return memcmp(text, got, sizeof(text)) ? -EIO : 0;
}

static int try_cipher(const int pair[2], enum xfer_tls_cipher cipher, const char **step)
{
	struct xfer_tls_keys keys = { .cipher = cipher, .rx.key = "not secret: for a probe" };
	int err = 0;

	*step = "module tls is missing: modprobe tls, or a kernel with CONFIG_TLS";
	for (int i = 0; i < 2 && err == 0; i++)
		err = xfer_ktls_prepare(pair[i]);
	if (err)
		return err;
	*step = "it lacks the cipher";
	for (int i = 0; i < 2 && err == 0; i++) {
		const char *direction;

		keys.tx = keys.rx;
		err = xfer_ktls_install(pair[i], &keys, &direction);
	}
	if (err)
		return err;
	*step = "what was sent didn't arrive";
	err = pass_text(pair[0], pair[1]);
	return err ? err : pass_text(pair[1], pair[0]);
}

unsigned xfer_ktls_probe(unsigned ciphers, char *why, size_t why_len)
{
	unsigned usable = 0;

	snprintf(why, why_len, "no cipher to be tried");
	for (enum xfer_tls_cipher cipher = 0; cipher < XFER_TLS_CIPHERS; cipher++) {
		const char *step;
		int pair[2], err;

		if (!(ciphers & 1u << cipher))
			continue;
		err = connect_pair(pair, &step);
		if (err == 0)
			err = try_cipher(pair, cipher, &step);
		if (err == 0)
			usable |= 1u << cipher;
		else
			snprintf(why, why_len, "%s: %s (%s)", xfer_tls_cipher_types[cipher].name,
				step, strerror(-err));
		for (int i = 0; i < 2; i++)
			if (pair[i] >= 0)
				close(pair[i]);
	}
	return usable;
}
