/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* content.c -- what a file's bytes have to be: a pattern of seed and offset, or a local file */
#include "content.h"

#include <err.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Word i of the file with this seed, in the machine's order: cheap, and no two words are equal. */
static inline uint64_t pattern_word(uint64_t seed, uint64_t i)
{
	uint64_t word = (i ^ seed << 40) * 0x9e3779b97f4a7c15u;

	return word ^ word >> 32;
}

static inline uint8_t pattern_byte(uint64_t seed, uint64_t offset)
{
	uint64_t word = pattern_word(seed, offset / 8);
	uint8_t bytes[8];

	memcpy(bytes, &word, sizeof(word));
	return bytes[offset % 8];
}

static const uint8_t *pattern_payload(
	struct content *content, uint8_t *buffer, uint64_t offset, size_t len)
{
	size_t at = 0;

	for (; at < len && (offset + at) % 8; at++)
		buffer[at] = pattern_byte(content->seed, offset + at);
	for (; len - at >= 8; at += 8) {
		uint64_t word = pattern_word(content->seed, (offset + at) / 8);

		memcpy(buffer + at, &word, sizeof(word));
	}
	for (; at < len; at++)
		buffer[at] = pattern_byte(content->seed, offset + at);
	return buffer;
}

/* Where the first byte that isn't right stands between at and len. */
static size_t pattern_first_wrong(
	const struct content *content, const uint8_t *data, uint64_t offset, size_t at, size_t len)
{
	while (at < len && data[at] == pattern_byte(content->seed, offset + at))
		at++;
	return at;
}

static size_t pattern_accept(
	struct content *content, const uint8_t *data, uint64_t offset, size_t len)
{
	size_t lead = (8 - offset % 8) % 8, at;

	if (lead > len)
		lead = len;
	at = pattern_first_wrong(content, data, offset, 0, lead);
	if (at < lead)
		return at;
	for (; len - at >= 8; at += 8) {
		uint64_t word;

		memcpy(&word, data + at, sizeof(word));
		if (word != pattern_word(content->seed, (offset + at) / 8))
			break;
	}
	return pattern_first_wrong(content, data, offset, at, len);
}

void content_pattern(struct content *content, uint64_t seed)
{
	static const struct content_ops ops = { .payload = pattern_payload,
		.accept = pattern_accept };

	*content = (struct content){ .ops = &ops, .seed = seed, .fd = -1 };
}

static const uint8_t *map_payload(
	struct content *content, uint8_t *buffer, uint64_t offset, size_t len)
{
	(void)buffer;
	(void)len;
	return content->bytes + offset;
}

static size_t map_accept(struct content *content, const uint8_t *data, uint64_t offset, size_t len)
{
	size_t at = 0;

	if (!memcmp(content->bytes + offset, data, len))
		return len;
	while (content->bytes[offset + at] == data[at])
		at++;
	return at;
}

void content_map(struct content *content, const char *path)
{
	static const struct content_ops ops = { .payload = map_payload, .accept = map_accept };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat attributes;
	void *bytes = NULL;

	if (fd < 0 || fstat(fd, &attributes))
		err(1, "can't read %s", path);
	if (attributes.st_size) {
		bytes = mmap(NULL, (size_t)attributes.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE,
			fd, 0);
		if (bytes == MAP_FAILED)
			err(1, "can't map %s", path);
	}
	close(fd);
	*content = (struct content){
		.ops = &ops, .fd = -1, .bytes = bytes, .size = (uint64_t)attributes.st_size
	};
}

static size_t fill_accept(struct content *content, const uint8_t *data, uint64_t offset, size_t len)
{
	size_t at = 0;

	while (at < len) {
		ssize_t put = pwrite(content->fd, data + at, len - at, (off_t)(offset + at));

		if (put < 0)
			err(1, "can't write what was read");
		at += (size_t)put;
	}
	return len;
}

void content_fill(struct content *content, const char *path)
{
	static const struct content_ops ops = { .accept = fill_accept };

	*content = (struct content){ .ops = &ops };
	content->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (content->fd < 0)
		err(1, "can't create %s", path);
}
