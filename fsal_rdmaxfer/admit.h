/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* admit.h -- whether a request comes by a connection that its export may be reached by */
#ifndef FSAL_RDMAXFER_ADMIT_H
#define FSAL_RDMAXFER_ADMIT_H

#include <stdatomic.h>

#include "compat.h"
#include "xprtsec.h"

/* An export's policy, which a reload replaces while requests are judged by it. */
struct admission {
	atomic_bool open; /* everybody may come */
	pthread_rwlock_t lock;
	struct xprtsec policy;
};

/* Nobody may come until it was changed. */
void admission_init(struct admission *admission);
/* policy: what it holds becomes the admission's. */
void admission_change(struct admission *admission, const struct xprtsec *policy);
void admission_fini(struct admission *admission);

/*
 * Whether the present request may have anything of the export that it is for: whatever answers a client begins here, be
 * it from memory. ERR_FSAL_ACCESS: its connection isn't of a kind that the export's Xprtsec has; the log says so.
 * What Ganesha does by itself, and what only gives something back, may always go on.
 */
fsal_status_t rdx_admit(void);

/* The same for a handle of the export's: Xprtsec_Sideband gives MOUNT that of the root. */
fsal_status_t rdx_admit_handle(void);

#endif
