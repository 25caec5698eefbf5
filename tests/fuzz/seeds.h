/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* seeds.h -- what valid inputs and the targets that they are for have to agree on */
#ifndef TESTS_FUZZ_SEEDS_H
#define TESTS_FUZZ_SEEDS_H

#include "owner/handle.h"

/* The byte that server's random numbers are made of: the session's id, then the tokens. */
#define SEED_RANDOM(count) ((uint8_t)(1 + (count)))

/* The maker of all handles. */
static inline struct handle_maker seed_maker(bool mac)
{
	return (struct handle_maker){ .volume_id = 0x12345678, .mac = mac, .key = { 1, 2, 3 } };
}

#endif
