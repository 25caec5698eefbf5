/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* content.h -- what a file's bytes have to be: a pattern of seed and offset, or a local file */
#ifndef NFSLOAD_CONTENT_H
#define NFSLOAD_CONTENT_H

#include <stddef.h>
#include <stdint.h>

struct content;

struct content_ops {
	/* The bytes at this offset: in place, or put into buffer. */
	const uint8_t *(*payload)(
		struct content *content, uint8_t *buffer, uint64_t offset, size_t len);
	/* Take what was read; how many leading bytes are right (len: all of them). */
	size_t (*accept)(struct content *content, const uint8_t *data, uint64_t offset, size_t len);
};

struct content {
	const struct content_ops *ops;
	uint64_t seed;        /* of a pattern */
	int fd;               /* of a local file that is filled */
	const uint8_t *bytes; /* of a local file that is there */
	uint64_t size;
};

void content_pattern(struct content *content, uint64_t seed);
/* A local file, for writing to the server and for comparing. */
void content_map(struct content *content, const char *path);
/* A local file to be made of what is read. */
void content_fill(struct content *content, const char *path);

#endif
