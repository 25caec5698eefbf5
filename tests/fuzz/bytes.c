/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* bytes.c -- bytes that grow, are damaged, and travel through a socket in parts */

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control/conn.h"
#include "fuzz.h"

void bytes_add(struct bytes *bytes, const void *data, size_t len)
{
	if (len == 0)
		return;
	if (bytes->len + len > bytes->size) {
		bytes->size = 2 * (bytes->len + len) + 64;
		bytes->data = realloc(bytes->data, bytes->size);
		FUZZ_CHECK(bytes->data != NULL);
	}
	if (data)
		memcpy(bytes->data + bytes->len, data, len);
	else
		memset(bytes->data + bytes->len, 0, len);
	bytes->len += len;
}

void bytes_free(struct bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct bytes){ 0 };
}

void bytes_add_record(
	struct bytes *bytes, const uint8_t *head, uint32_t len, uint32_t payload_length)
{
	uint32_t padded = (payload_length + 3) & ~3u;
	uint8_t mark[4];

	xfer_mark_put(mark, len, payload_length == 0);
	bytes_add(bytes, mark, 4);
	bytes_add(bytes, head, len);
	if (payload_length == 0)
		return;
	xfer_mark_put(mark, padded, true);
	bytes_add(bytes, mark, 4);
	bytes_add(bytes, NULL, padded);
}

/* --- damage -------------------------------------------------------------------------------------- */

static void flip(struct bytes *bytes, struct random *random)
{
	bytes->data[random_below(random, (uint32_t)bytes->len)] ^= 1u << random_below(random, 8);
}

/* A word, most of the time where XDR has one, becomes a number at a limit of something. */
static void set_word(struct bytes *bytes, struct random *random)
{
	static const uint32_t numbers[] = { 0, 1, 2, 3, 4, 6, 8, XFER_HANDLE_MAX,
		XFER_HANDLE_MAX + 1, XFER_NAME_MAX, XFER_NAME_MAX + 1, XFER_NODE_MAX + 1, 400, 401,
		XFER_GROUPS_MAX, XFER_GROUPS_MAX + 1, XFER_READDIR_MAX, XFER_HEAD_MAX,
		XFER_HEAD_MAX + 4, XFER_IO_MAX, XFER_IO_MAX + 1, XFER_RECORD_MAX, 1000000000,
		INT32_MAX, 0x80000000, 0x80000004, UINT32_MAX };
	uint32_t word = numbers[random_below(random, sizeof(numbers) / sizeof(*numbers))];
	size_t at;

	if (bytes->len < 4)
		return;
	at = random_below(random, (uint32_t)bytes->len - 3);
	if (random_below(random, 8))
		at &= ~(size_t)3;
	word = random_below(random, 4) ? htonl(word) : (uint32_t)random_u64(random);
	memcpy(bytes->data + at, &word, 4);
}

static void cut(struct bytes *bytes, struct random *random)
{
	bytes->len = random_below(random, (uint32_t)bytes->len + 1);
}

static void leave_out(struct bytes *bytes, struct random *random)
{
	size_t at = random_below(random, (uint32_t)bytes->len);
	size_t n = 1 + random_below(random, 16);

	if (n > bytes->len - at)
		n = bytes->len - at;
	memmove(bytes->data + at, bytes->data + at + n, bytes->len - at - n);
	bytes->len -= n;
}

static void put_in(struct bytes *bytes, struct random *random)
{
	size_t at = random_below(random, (uint32_t)bytes->len + 1);
	size_t n = 4 * (1 + random_below(random, 8));

	bytes_add(bytes, NULL, n);
	memmove(bytes->data + at + n, bytes->data + at, bytes->len - n - at);
	random_bytes(random, bytes->data + at, n);
}

static void double_part(struct bytes *bytes, struct random *random)
{
	size_t from = random_below(random, (uint32_t)bytes->len);
	size_t to = random_below(random, (uint32_t)bytes->len);
	size_t n = 1 + random_below(random, 64), end = from > to ? from : to;

	if (n > bytes->len - end)
		n = bytes->len - end;
	memmove(bytes->data + to, bytes->data + from, n);
}

void bytes_damage(struct bytes *bytes, struct random *random)
{
	static void (*const ways[])(struct bytes *, struct random *) = { flip, flip, set_word,
		set_word, set_word, cut, leave_out, put_in, double_part };
	uint32_t times =
		random_below(random, 4) ? random_below(random, 3) : random_below(random, 20);

	while (times-- > 0 && bytes->len > 0)
		ways[random_below(random, sizeof(ways) / sizeof(*ways))](bytes, random);
}

/* --- sockets ------------------------------------------------------------------------------------- */

bool fuzz_send(int fd, const struct bytes *bytes, struct random *random)
{
	size_t at = 0;

	while (at < bytes->len) {
		size_t n = 1 + random_upto(random, random_below(random, 3) ? 65535 : 40);
		ssize_t sent;

		if (n > bytes->len - at)
			n = bytes->len - at;
		sent = send(fd, bytes->data + at, n, MSG_NOSIGNAL);
		if (sent < 0)
			return false;
		at += (size_t)sent;
		/* Time to be received before the next part comes. */
		if (random_below(random, 2))
			usleep(100);
	}
	return true;
}

bool fuzz_drain(int fd, int seconds)
{
	time_t until = time(NULL) + seconds;
	uint8_t buffer[65536];

	while (time(NULL) <= until) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };

		if (poll(&pollfd, 1, 1000) > 0 && recv(fd, buffer, sizeof(buffer), 0) <= 0)
			return true;
	}
	return false;
}
