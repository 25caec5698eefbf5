/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* world.h -- all that there is: two ends, three lanes, what is on its way, and what the test knows of it */
#ifndef TESTS_PROPERTY_LMRM_WORLD_H
#define TESTS_PROPERTY_LMRM_WORLD_H

/*
 * One session with three lanes: verbs (payload and immediate travel by themselves), shared memory (payload is
 * stored by the sender's own hands), verbs. Each has its own epochs, its pools and joins, and both directions. The
 * control connection is worse than a real one: messages overtake each other, are lost, and are sent twice. Slots
 * are memory of this process, written and read in several steps each, so that whoever touches a slot at the wrong
 * time is seen.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/join.h"
#include "core/lmrm.h"
#include "core/quota.h"
#include "core/replycache.h"

#include "rules.h"
#include "trace.h"

#define LANES    3
#define CALLS    12
#define OFFSETS  3
#define MEMORIES 4 /* regions of a lane and direction */
#define SLOTS    4 /* of a region, at most */
#define MESSAGES 160
#define WRITES   96
#define WORKS    64
#define DISCARDS 32
#define MS       UINT64_C(1000000)
#define WRITE    XFER_POOL_WRITE
#define READ     XFER_POOL_READ

enum phase { RESERVED, COPYING, FILLED, SENT, DELIVERED };

/* An operation of the initiator's; its index is its call slot. */
struct op {
	bool active, write, slotted, waits, slow;
	enum phase phase;
	int lane, offset;
	uint32_t sequence, id, length, version, executed;
	struct xfer_lmrm_slot slot;
	struct xfer_lmrm_waiter waiter;
};

enum kind { CALL, DISCARD, CANCEL, ANSWER };
enum answer { OK, DELAY, RESEND, REFUSED };

struct message {
	enum kind kind;
	int lane, call, offset;
	bool write, slotted; /* slotted: it names a slot */
	bool placed;         /* ANSWER to a READ: bytes are in that slot */
	enum answer answer;
	uint32_t sequence, id, length, version;
	struct xfer_slot_name name;
};

/* A posted write with immediate. */
struct transit {
	bool write; /* towards the host */
	int lane, memory;
	unsigned life, step; /* of the memory; 2: placed, its immediate is in a completion queue */
	struct xfer_slot_name name;
	uint64_t address;
	uint32_t id, version;
};

/* At the host. */
struct work {
	bool active, waiting, cancelled, slotted, slow;
	unsigned step;
	uint32_t version;
	struct message call;
	struct xfer_joined joined;
};

struct memory {
	bool registered, gone; /* gone: broken rule */
	unsigned life;
	uint32_t id;
	uint64_t bytes;
	uint64_t room[SLOTS * 8];
};

struct side {
	struct xfer_lmrm *pool;
	struct xfer_join *join;
	struct memory memories[MEMORIES];
	uint16_t withheld[MEMORIES * SLOTS]; /* in WELCOME */
	uint32_t nwithheld;
};

struct lane {
	bool verbs, lost, ended, welcome; /* welcome: on its way */
	bool closed, emptied; /* all memory goes back: no epoch begins; emptied: the host has it */
	uint32_t epoch, accepted; /* the host's, the initiator's */
	struct side sides[2];
};

struct world {
	enum rule broken;
	bool fair; /* no accidents, nothing new */
	uint64_t seed, random, now;
	uint32_t ids, regions;
	unsigned step, nmessages, ntransits, ndiscards;
	struct lane lanes[LANES];
	struct op ops[CALLS];
	struct message messages[MESSAGES], discards[DISCARDS];
	struct transit transits[WRITES];
	struct work works[WORKS];
	uint32_t versions[OFFSETS]; /* how often something was written there */
	struct xfer_replycache cache;
	struct xfer_quota quota;
	unsigned client;
	unsigned long executed, slotted, delivered, resent, quarantined, withheld, epochs, grown,
		closed;
};

extern struct world w;

/* --- world.c --- */

void set_up(uint64_t seed, enum rule broken);
void tear_down(void);
void create_join(int number, int direction);
void create_pool(int number, int direction);
uint32_t rnd(uint32_t n);
/* One in n, but not while things have to come to an end. */
bool accident(uint32_t n);
uint32_t *words(uint64_t address);
/* In two steps: what is written by one is only whole after the other. */
void store(uint64_t address, unsigned step, uint32_t id, uint32_t version);
bool whole(uint64_t address, uint32_t id);

/* --- control.c --- */

void send_message(const struct message *message);
void deliver_message(void);

/* --- path.c --- */

void post(int lane, bool write, const struct xfer_slot_name *name, uint64_t address, uint32_t id,
	uint32_t version);
/* Whether the receiving end's queue pair of that epoch is there. */
bool alive(const struct transit *transit);
void transit_step(void);

/* --- epochs.c --- */

void host_end(struct lane *lane);
void begin_epoch(struct lane *lane);
void lose_path(struct lane *lane);
void epoch_step(void);

/* --- regions.c --- */

/* What the host has seen in an epoch before: a region whose slot was used so often that generations soon wrap
 * around. */
void age(struct xfer_join *join, bool immediates);
void grow(int number, int direction);
void region_step(void);

/* --- host.c --- */

void work_step(void);
/* What uses the slot. */
struct work *work_of(int lane, bool write, uint16_t slot, bool waiting);
void host_expire(struct lane *lane);
void host_call(const struct message *call);
void host_cancel(const struct message *cancel);
/* False: it isn't taken yet. */
bool host_immediate(const struct transit *transit);

/* --- initiator.c --- */

struct xfer_lmrm *pool_of(const struct op *op);
void new_op(void);
void serve_waiters(void);
void op_step(void);
void read_answered(struct op *op, const struct message *message);
void write_answered(struct op *op, const struct message *message);
void initiator_immediate(const struct transit *transit);

/* --- invariants.c --- */

/* How many slots aren't free, and how many wait for one. */
unsigned check(void);

#endif
