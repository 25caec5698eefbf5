/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main.c -- fuzz SEED ITERATIONS [TARGET...]: the same seed makes the same bytes again */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"
#include "log.h"

static const struct fuzz_target *const targets[] = { &fuzz_args, &fuzz_results, &fuzz_calls,
	&fuzz_replies, &fuzz_entries, &fuzz_handles, &fuzz_server, &fuzz_caller };
#define TARGETS (sizeof(targets) / sizeof(*targets))

void fuzz_check(bool condition, const char *text, const char *file, int line)
{
	if (condition)
		return;
	fprintf(stderr, "%s:%d: this doesn't hold: %s\n", file, line, text);
	abort();
}

static void iterate(const struct fuzz_target *target, uint64_t seed, uint64_t count, uint64_t *at)
{
	/* Damaged input makes lines that nobody wants to read. */
	xfer_log_set_level(XFER_LOG_ERROR);
	if (target->start)
		target->start();
	for (*at = 0; *at < count; ++*at) {
		struct random random = random_from(seed + *at);

		target->run(&random);
	}
	if (target->stop)
		target->stop();
}

/* In a process of its own; its status. */
static int run_apart(const struct fuzz_target *target, uint64_t seed, uint64_t count, uint64_t *at)
{
	int status = -1;
	pid_t pid;

	if (target->prepare)
		target->prepare();
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		iterate(target, seed, count, at);
		exit(0); /* leaks are looked for now */
	}
	if (pid > 0 && waitpid(pid, &status, 0) != pid)
		status = -1;
	if (target->clean)
		target->clean();
	return status;
}

/* A failure is told together with what repeats it. */
static bool run_target(const struct fuzz_target *target, uint64_t seed, uint64_t count)
{
	uint64_t *at =
		mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	if (at == MAP_FAILED)
		return false;
	status = run_apart(target, seed, count, at);
	if (status == 0)
		printf("%-8s %llu iterations from seed %llu\n", target->name,
			(unsigned long long)count, (unsigned long long)seed);
	else
		printf("%-8s FAILED with status 0x%x; again: fuzz %llu 1 %s\n", target->name,
			(unsigned)status, (unsigned long long)(*at < count ? seed + *at : seed),
			target->name);
	munmap(at, sizeof(*at));
	return status == 0;
}

static bool chosen(const struct fuzz_target *target, int argc, char **argv)
{
	for (int i = 3; i < argc; i++)
		if (strcmp(argv[i], target->name) == 0)
			return true;
	return argc <= 3;
}

int main(int argc, char **argv)
{
	char *end1 = NULL, *end2 = NULL;
	uint64_t seed = argc > 2 ? strtoull(argv[1], &end1, 0) : 0;
	uint64_t count = argc > 2 ? strtoull(argv[2], &end2, 0) : 0;
	unsigned ran = 0, failed = 0;

	for (unsigned i = 0; argc > 2 && !*end1 && !*end2 && i < TARGETS; i++)
		if (chosen(targets[i], argc, argv)) {
			ran++;
			failed += !run_target(targets[i], seed, count);
		}
	if (ran > 0)
		return failed > 0;
	fprintf(stderr, "usage: fuzz SEED ITERATIONS [TARGET...]; targets:");
	for (unsigned i = 0; i < TARGETS; i++)
		fprintf(stderr, " %s", targets[i]->name);
	fprintf(stderr, "\n");
	return 2;
}
