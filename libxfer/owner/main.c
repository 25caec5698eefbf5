/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* main.c -- rdmaxferd, the owner's daemon: options, start, end */

#include <argp.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/server.h"
#include "log.h"
#include "owner/caps.h"
#include "owner/service.h"
#include "owner/tls.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_CONFIG = 3, EXIT_HELD = 4 };

#define LOCK_MS 10000 /* how long a predecessor may take to let a volume go */
#define LANES   2

const char *argp_program_version = "rdmaxferd " XFER_RELEASE;

struct options {
	const char *config;
	const char *log_level;
	const char *pid_file;
	bool check_only;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	enum xfer_log_level level;

	switch (key) {
	case 'c':
		options->config = arg;
		return 0;
	case 'k':
		options->check_only = true;
		return 0;
	case 'l':
		if (xfer_log_level_parse(arg, &level))
			argp_error(
				state, "'%s' is no log level: use error, warn, info or debug", arg);
		options->log_level = arg;
		return 0;
	case 'p':
		options->pid_file = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "there is no argument '%s'", arg);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option option_list[] = {
	{ "config", 'c', "FILE", 0, "Configuration (" CONFIG_DEFAULT_FILE ")", 0 },
	{ "check-config", 'k', NULL, 0, "Check the configuration and end", 0 },
	{ "log-level", 'l', "LEVEL", 0, "error, warn, info or debug; wins over the configuration",
		0 },
	{ "pid-file", 'p', "FILE", 0, "Write the process's number there", 0 },
	{ 0 },
};

static const struct argp argp = {
	.options = option_list,
	.parser = parse,
	.doc = "Serves volumes of this node to the cluster's points of contact. It stays in the "
	       "foreground, logs to stderr and ends with SIGTERM.",
};

/* --- the process ------------------------------------------------------------------------------- */

static void raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files))
		xfer_warn("the limit of open files stays low: %s; set LimitNOFILE of the unit",
			strerror(errno));
}

/* -errno: what is missing was logged. */
static int prepare_process(void)
{
	char message[512] = "capabilities can't be read";
	int err = caps_check(message, sizeof(message));

	if (err) {
		xfer_error("%s", message);
		return err;
	}
	raise_file_limit();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	umask(0);
	err = caps_reduce();
	if (err)
		xfer_error(
			"capabilities that are not needed can't be given up: %s; start rdmaxferd "
			"with fewer restrictions",
			strerror(-err));
	else
		err = store_posix_prepare();
	if (err)
		xfer_error("this process can't be set up: %s; mount /proc", strerror(-err));
	return err;
}

/* With the directories above it. */
static int make_directory(const char *path, mode_t mode, const char *key)
{
	char part[4096];
	int err = 0;

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			err = -errno;
		*slash = '/';
	}
	if (mkdir(part, mode) && errno != EEXIST)
		err = -errno;
	else
		err = 0;
	if (err)
		xfer_error("%s can't be made: %s; make it, or set `%s` to another directory", path,
			strerror(-err), key);
	return err;
}

static int write_pid_file(const char *path)
{
	FILE *file = path ? fopen(path, "we") : NULL;
	int err = 0;

	if (!path)
		return 0;
	if (!file) {
		err = -errno;
	} else {
		fchmod(fileno(file), 0644);
		fprintf(file, "%d\n", getpid());
		if (fclose(file))
			err = -errno;
	}
	if (err)
		xfer_error("%s can't be written: %s; name another file by --pid-file", path,
			strerror(-err));
	return err;
}

/* --- serving ----------------------------------------------------------------------------------- */

static int listen_everywhere(struct xfer_server *server, const struct config *config)
{
	for (unsigned i = 0; i < config->nlisten; i++) {
		int err = xfer_server_listen(server, config->listen[i]);

		if (err)
			return err;
		xfer_info("listening at %s", config->listen[i]);
	}
	return 0;
}

static bool same_listen(const struct config *a, const struct config *b)
{
	for (unsigned i = 0; i < a->nlisten || i < b->nlisten; i++)
		if (strcmp(a->listen[i], b->listen[i]) != 0)
			return false;
	return true;
}

static bool same_tls(const struct config_tls *a, const struct config_tls *b)
{
	return !a->line == !b->line && strcmp(a->certificate, b->certificate) == 0 &&
	       strcmp(a->key, b->key) == 0 && strcmp(a->ca, b->ca) == 0 &&
	       strcmp(a->crl, b->crl) == 0 && a->ktls == b->ktls &&
	       a->handshake_ms == b->handshake_ms;
}

/* What can't change while the process lives: the key's name, or NULL. */
static const char *fixed_key(const struct config *now, const struct config *next)
{
	return strcmp(now->node, next->node) != 0             ? "node"
	       : !same_listen(now, next)                      ? "listen"
	       : strcmp(now->state_dir, next->state_dir) != 0 ? "state_dir"
	       : strcmp(now->run_dir, next->run_dir) != 0     ? "run_dir"
	       : now->session_keep != next->session_keep      ? "session_keep"
	       : now->grace != next->grace                    ? "grace"
	       : !same_tls(&now->tls, &next->tls)             ? "tls"
							      : NULL;
}

/* SIGHUP: volumes, nodes and log_level as they are in the file now. What is wrong leaves all as it is. Files of
 * certificates are read again whatever becomes of that. */
static void reload(struct service *service, const struct options *options)
{
	const struct config *now = service->setup->config;
	struct config *next;
	const char *fixed;

	if (config_load(options->config, &next)) {
		xfer_error("%s isn't loaded again: correct it, then send SIGHUP once more",
			options->config);
		return;
	}
	fixed = fixed_key(now, next);
	if (fixed)
		xfer_warn("%s: another `%s` takes effect when rdmaxferd is started again",
			options->config, fixed);
	strcpy(next->node, now->node);
	strcpy(next->state_dir, now->state_dir);
	next->tls = now->tls;
	if (!options->log_level)
		xfer_log_set_level(next->log_level);
	if (service_reload(service, next)) {
		config_free(next);
		xfer_error("%s isn't loaded again: all is served as before", options->config);
		return;
	}
	xfer_info("%s is loaded again: %u volumes, %u nodes", options->config, next->nvolumes,
		next->nnodes);
	owner_tls_warn(next);
}

static void wait_for_end(const sigset_t *signals, struct service *service, struct owner_tls *tls,
	const struct options *options)
{
	int number = 0;

	while (sigwait(signals, &number) || number == SIGHUP) {
		if (number != SIGHUP)
			continue;
		if (tls->tls)
			xfer_tls_reload(tls->tls);
		reload(service, options);
	}
	xfer_info("%s: ending", strsignal(number));
}

static int serve_by(struct service *service, struct owner_tls *tls, const sigset_t *signals,
	const struct options *options)
{
	const struct config *config = service->setup->config;
	struct xfer_server_params params = {
		.node = config->node,
		.lanes = LANES,
		.service = &service->ops,
		.owner = service,
		.keep_ms = config->session_keep * 1000,
		.tls = tls->tls,
		.tls_identity = tls->identity,
	};
	struct xfer_server *server;
	int err;

	err = xfer_server_create(&params, &server);
	if (err) {
		xfer_error("the server can't be started: %s; check memory and TasksMax",
			strerror(-err));
		return err;
	}
	recovery_begin(service->recovery);
	err = listen_everywhere(server, config);
	if (err == 0)
		err = write_pid_file(options->pid_file);
	if (err == 0) {
		prctl(PR_SET_DUMPABLE, 0);
		xfer_info("owner %s serves %u volumes", config->node, config->nvolumes);
		owner_tls_warn(config);
		wait_for_end(signals, service, tls, options);
		if (options->pid_file)
			unlink(options->pid_file);
	}
	xfer_server_destroy(server);
	return err;
}

static int serve(struct service *service, const struct options *options)
{
	struct owner_tls tls;
	sigset_t signals;
	int err;

	/* Before the first thread, so that they all inherit it. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	err = service_start(service);
	if (err == 0)
		err = owner_tls_start(service->setup->config, &tls);
	if (err)
		return err;
	err = serve_by(service, &tls, &signals, options);
	owner_tls_stop(&tls);
	return err;
}

/* One that comes while volumes' locks are waited for is acted upon when it serves. */
static void hold_reloads(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

/* Takes the configuration over. */
static int run(struct config *config, const struct options *options)
{
	struct service service;
	int err;

	hold_reloads();
	err = prepare_process();
	if (err == 0)
		err = make_directory(config->state_dir, 0700, "state_dir");
	if (err == 0)
		err = make_directory(config->run_dir, 0755, "run_dir");
	if (err) {
		config_free(config);
		return EXIT_FAILED;
	}
	err = service_open_volumes(&service, config, &store_posix, LOCK_MS);
	if (err)
		config_free(config);
	else if (serve(&service, options))
		err = -EIO;
	service_stop(&service);
	if (err == 0)
		xfer_info("ended");
	return err == 0 ? 0 : err == -EWOULDBLOCK ? EXIT_HELD : EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct options options = { .config = CONFIG_DEFAULT_FILE };
	enum xfer_log_level level;
	struct config *config;

	argp_err_exit_status = EXIT_USAGE;
	if (argp_parse(&argp, argc, argv, 0, NULL, &options))
		return EXIT_USAGE;
	if (config_load(options.config, &config))
		return EXIT_CONFIG;
	level = config->log_level;
	if (options.log_level)
		xfer_log_level_parse(options.log_level, &level);
	xfer_log_set_level(level);
	if (options.check_only) {
		printf("%s: good: node %s, %u volumes, %u nodes\n", options.config, config->node,
			config->nvolumes, config->nnodes);
		config_free(config);
		return 0;
	}
	return run(config, &options);
}
