/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sessions.c -- whom sessions of NFSv4.1 belong to that have seen what isn't for everybody */

#include <string.h>

#include "sessions.h"

static struct session_entry *set_of(struct sessions *sessions, const uint8_t *id)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < SESSION_ID_SIZE; i++)
		hash = (hash ^ id[i]) * UINT64_C(0x100000001b3);
	return sessions->entries[(hash ^ hash >> 32) % SESSIONS_SETS];
}

static bool is_alive(
	const struct sessions *sessions, const struct session_entry *entry, uint64_t now)
{
	return entry->seen != 0 && (now < entry->seen || now - entry->seen < sessions->life);
}

/* The entry of a session; room: NULL, or where one that is free goes. */
static struct session_entry *find(
	struct sessions *sessions, const uint8_t *id, uint64_t now, struct session_entry **room)
{
	struct session_entry *set = set_of(sessions, id);

	for (unsigned i = 0; i < SESSIONS_WAYS; i++) {
		if (!is_alive(sessions, &set[i], now)) {
			if (room)
				*room = &set[i];
		} else if (memcmp(set[i].id, id, SESSION_ID_SIZE) == 0) {
			return &set[i];
		}
	}
	return NULL;
}

bool sessions_bind(
	struct sessions *sessions, const uint8_t id[SESSION_ID_SIZE], uint64_t owner, uint64_t now)
{
	struct session_entry *entry, *room = NULL;

	pthread_mutex_lock(&sessions->lock);
	entry = find(sessions, id, now, &room);
	if (!entry && room) {
		entry = room;
		memcpy(entry->id, id, SESSION_ID_SIZE);
		entry->owner = owner;
		entry->seen = now;
		atomic_store(&sessions->used, true);
	}
	pthread_mutex_unlock(&sessions->lock);
	return entry != NULL;
}

bool sessions_admit(
	struct sessions *sessions, const uint8_t id[SESSION_ID_SIZE], uint64_t owner, uint64_t now)
{
	struct session_entry *entry;
	bool admitted = true;

	pthread_mutex_lock(&sessions->lock);
	entry = find(sessions, id, now, NULL);
	if (entry && entry->owner == owner)
		entry->seen = now;
	else
		admitted = !entry;
	pthread_mutex_unlock(&sessions->lock);
	return admitted;
}
