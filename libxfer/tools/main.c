/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main.c -- rdmaxferctl: looking at owners and points of contact, measuring */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define DEFAULT_RUN_DIR "/run/rdmaxfer"
#define COUNT_MAX       1000000

struct command {
	const char *name;
	int (*run)(const struct ctl *ctl);
	bool needs_node;
};

static const struct command commands[] = {
	{ "status", ctl_status, false },
	{ "ping", ctl_ping, true },
	{ "bench", ctl_bench, false },
	{ "devices", ctl_devices, false },
};

struct arguments {
	struct ctl ctl;
	const char *command;
};

static const struct argp_option options[] = {
	{ "run-dir", 'r', "DIR", 0, "Where the sockets are (default: " DEFAULT_RUN_DIR ")", 0 },
	{ "json", 'j', NULL, 0, "Print JSON", 0 },
	{ "count", 'c', "N", 0, "ping: ask N times (default: 5)", 0 },
	{ 0 },
};

static void parse_count(const char *text, struct argp_state *state, unsigned *count)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end || value < 1 || value > COUNT_MAX)
		argp_error(state, "--count must be a number from 1 to %d", COUNT_MAX);
	*count = (unsigned)value;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &arguments->ctl.bench;
		break;
	case 'r':
		arguments->ctl.run_dir = arg;
		break;
	case 'j':
		arguments->ctl.json = true;
		break;
	case 'c':
		parse_count(arg, state, &arguments->ctl.count);
		break;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "too many arguments");
		if (state->arg_num == 0)
			arguments->command = arg;
		else
			arguments->ctl.target = arg;
		break;
	case ARGP_KEY_END:
		if (!arguments->command)
			argp_error(state, "a command is missing: status, ping, bench or devices");
		break;
	default:
		return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_child children[] = {
	{ &ctl_bench_argp, 0, "bench:", 1 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "status [SOCKET]\nping NODE\nbench NODE --volume=NAME\nbench --raw\ndevices",
	.doc = "Shows what rdmaxfer's processes on this node do, whether others answer, how fast, and which RDMA "
	       "devices there are.\v"
	       "status prints sessions, lanes and counters of each process whose socket is in the run "
	       "directory, or of SOCKET.\n"
	       "ping calls the NULL procedure of NODE: HOST[:PORT], unix:PATH, or an owner's name that a "
	       "process on this node knows.\n"
	       "bench measures READ and WRITE below NFS, on a file that it makes in the volume's root "
	       "and removes, beside memcpy and plain TCP; with --raw this host's RDMA queue pairs, without "
	       "an owner.\n"
	       "devices prints which RDMA devices of this host can be used, by which addresses, or why not.",
	.children = children,
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .ctl = { .run_dir = DEFAULT_RUN_DIR, .count = 5 } };
	const struct command *command;

	argp_program_version = "rdmaxferctl " XFER_RELEASE;
	argp_err_exit_status = CTL_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	command = find_command(arguments.command);
	if (command && (arguments.ctl.target || !command->needs_node))
		return command->run(&arguments.ctl);
	if (command)
		fprintf(stderr, "rdmaxferctl: %s needs a NODE: HOST[:PORT], unix:PATH or a name\n",
			command->name);
	else
		fprintf(stderr,
			"rdmaxferctl: there is no command %s; known are status, ping, bench and devices\n",
			arguments.command);
	return CTL_USAGE;
}
