/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* fuzz.c -- what fuzz targets share: promises, the log, inputs that are taken from their front */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "log.h"

void fuzz_check(bool condition, const char *text, const char *file, int line)
{
	if (condition)
		return;
	fprintf(stderr, "%s:%d: this doesn't hold: %s\n", file, line, text);
	abort();
}

static void read_line(enum xfer_log_level level, const char *line)
{
	(void)level;
	FUZZ_CHECK(strlen(line) > 0);
}

void fuzz_quiet(void)
{
	xfer_log_set_sink(read_line);
	xfer_log_set_level(XFER_LOG_DEBUG);
}

struct input input_part(struct input *input, size_t max)
{
	struct input part = { input->data, max < input->size ? max : input->size };

	input->data += part.size;
	input->size -= part.size;
	return part;
}

uint8_t input_u8(struct input *input)
{
	struct input part = input_part(input, 1);

	return part.size > 0 ? part.data[0] : 0;
}

uint16_t input_u16(struct input *input)
{
	uint8_t low = input_u8(input);

	return (uint16_t)(low | input_u8(input) << 8);
}

static uint8_t *copy(const struct input *input, size_t room)
{
	uint8_t *to = malloc(room > 0 ? room : 1);

	FUZZ_CHECK(to != NULL);
	if (input->size > 0)
		memcpy(to, input->data, input->size);
	return to;
}

uint8_t *input_bytes(const struct input *input)
{
	return copy(input, input->size);
}

char *input_text(const struct input *input)
{
	char *text = (char *)copy(input, input->size + 1);

	text[input->size] = '\0';
	return text;
}
