/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* replay.c -- gives a target the inputs of its corpus, for compilers that have no libFuzzer: DIRECTORY... */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"

#define INPUT_MAX (1u << 20)

static void replay_file(const char *path)
{
	static uint8_t bytes[INPUT_MAX];
	FILE *file = fopen(path, "re");
	struct input input = { bytes, 0 };
	uint8_t *exact;

	FUZZ_CHECK(file != NULL);
	input.size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	exact = input_bytes(&input);
	/* Before it is tried, so that a crash has a name. */
	fprintf(stderr, "%s\n", path);
	FUZZ_CHECK(LLVMFuzzerTestOneInput(exact, input.size) == 0);
	free(exact);
}

static unsigned replay(const char *directory)
{
	DIR *dir = opendir(directory);
	struct dirent *entry;
	unsigned count = 0;
	char path[4096];

	FUZZ_CHECK(dir != NULL);
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		replay_file(path);
		count++;
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	unsigned count = 0;

	LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		count += replay(argv[i]);
	printf("%u inputs\n", count);
	return count > 0 ? 0 : 1;
}
