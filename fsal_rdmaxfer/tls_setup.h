/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* tls_setup.h -- the process's TLS, as the RDMAXFER block wants it */
#ifndef FSAL_RDMAXFER_TLS_SETUP_H
#define FSAL_RDMAXFER_TLS_SETUP_H

#include "module.h"

/* Starts what is configured; AUTH_TLS is answered from now on in any case. false: it can't be had, and the log says why. */
bool rdx_tls_setup(struct rdx_module *module, xfer_log_fn log);

/* Every 100 ms or so. */
void rdx_tls_tick(struct rdx_module *module);

/* When Ganesha's RPC threads have ended. */
void rdx_tls_teardown(struct rdx_module *module);

#endif
