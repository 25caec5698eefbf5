/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* owner.c -- what makes rdmaxferd-fault of rdmaxferd: another store, kernels that go down, connections that break */

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "boot.h"
#include "fault_store.h"
#include "log.h"
#include "owner/service.h"

/*
 * The program is rdmaxferd's own main.c; the linker puts these functions before the owner's ones (--wrap). SIGUSR1
 * breaks all connections. XFER_FAULT_SLOW_MS of the environment makes some writes slow, so that one can outlive
 * the connection that it came by.
 */

int __real_service_open_volumes(struct service *service, struct config *config,
	const struct store_ops *store, unsigned lock_ms);
int __wrap_service_open_volumes(struct service *service, struct config *config,
	const struct store_ops *store, unsigned lock_ms);
void __real_service_stop(struct service *service);
void __wrap_service_stop(struct service *service);
int __wrap_xfer_kernel_boot_id(uint8_t id[16]);

static bool serving;

/* Of all descriptors only sockets with a peer can be shut down; listeners stay. */
static void break_connections(void)
{
	struct rlimit files = { .rlim_cur = 1024 };

	getrlimit(RLIMIT_NOFILE, &files);
	for (int fd = 3; fd < (int)files.rlim_cur && fd < 4096; fd++) {
		struct sockaddr_storage peer;
		socklen_t length = sizeof(peer);

		if (getpeername(fd, (struct sockaddr *)&peer, &length) == 0)
			shutdown(fd, SHUT_RDWR);
	}
}

static void *wait_for_signals(void *signals)
{
	int number;

	while (sigwait(signals, &number) == 0) {
		break_connections();
		xfer_info("connections are broken");
	}
	return NULL;
}

/* Before the first other thread, so that they all inherit the mask. */
static int prepare_signals(void)
{
	static sigset_t signals;
	pthread_t thread;
	int err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	err = pthread_create(&thread, NULL, wait_for_signals, &signals);
	if (err == 0)
		pthread_detach(thread);
	return -err;
}

/* With the volumes' locks held, so no predecessor writes any more. */
static void recover(const struct setup *setup)
{
	for (unsigned i = 0; i < setup->nvolumes; i++) {
		struct volume *volume = setup->volumes[i].volume;
		int err = fault_store_recover(volume->root_fd);

		if (err) {
			xfer_error("%s: what wasn't synced can't be forgotten: %s", volume->path,
				strerror(-err));
			abort();
		}
		/* Writes by the workers, as on a disk: a lane can't be slow. */
		volume->in_memory = false;
	}
}

int __wrap_service_open_volumes(struct service *service, struct config *config,
	const struct store_ops *store, unsigned lock_ms)
{
	const char *slow = getenv("XFER_FAULT_SLOW_MS");
	int err = fault_store_start(config->state_dir);

	(void)store;
	fault_store_slow(slow ? (unsigned)atoi(slow) : 0);
	if (err == 0)
		err = prepare_signals();
	if (err == 0)
		err = __real_service_open_volumes(service, config, &fault_store, lock_ms);
	if (err == 0) {
		recover(service->setup);
		serving = true;
	}
	return err;
}

void __wrap_service_stop(struct service *service)
{
	__real_service_stop(service);
	if (serving)
		fault_store_end();
}

int __wrap_xfer_kernel_boot_id(uint8_t id[16])
{
	fault_store_boot_id(id);
	return 0;
}
