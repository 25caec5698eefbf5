/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_setup.h -- the process's TLS, as the RDMAXFER block wants it */
#ifndef FSAL_RDMAXFER_TLS_SETUP_H
#define FSAL_RDMAXFER_TLS_SETUP_H

#include "module.h"

/* Starts what is configured; nobody is told of it yet. false: it can't be had, the log says why, and there is nothing of it. */
bool rdx_tls_setup(struct rdx_module *module, xfer_log_fn log);

/*
 * From now on AUTH_TLS is answered. It has to be the start's last step, behind the thread that ticks: libntirpc can't forget
 * who answers, and only rdx_tls_tick ends offers. false: it can't be had, and the log says why.
 */
bool rdx_tls_offer(struct rdx_module *module);

/* Takes rdx_tls_setup back, where nothing was offered. */
void rdx_tls_drop(struct rdx_module *module);

/* Every 100 ms or so. */
void rdx_tls_tick(struct rdx_module *module);

/* When Ganesha's RPC threads have ended. */
void rdx_tls_teardown(struct rdx_module *module);

#endif
