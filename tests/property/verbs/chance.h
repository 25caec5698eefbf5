/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* chance.h -- what is random: the same seed does the same things, if not at the same time */
#ifndef TESTS_PROPERTY_VERBS_CHANCE_H
#define TESTS_PROPERTY_VERBS_CHANCE_H

#include <stdbool.h>
#include <stdint.h>

void chance_begin(uint64_t seed);
/* The calling thread's numbers are those of this number from now on; others take the next ones that are free. */
void chance_thread(unsigned number);
/* Below n. Any thread; each has numbers of its own. */
uint32_t rnd(uint32_t n);
/* Of a payload, with emphasis on where something changes. */
uint32_t random_length(void);
/* Sleeps for less than that, mostly not at all; never in a hasty round. */
void dawdle(unsigned us);

#endif
