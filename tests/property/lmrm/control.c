/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* control.c -- the control connection: messages overtake each other, are lost, and are sent twice */

#include "world.h"

void send_message(const struct message *message)
{
	if (accident(40) || w.nmessages == MESSAGES) {
		say("lost: kind %d call %d", message->kind, message->call);
		return;
	}
	w.messages[w.nmessages++] = *message;
}

void deliver_message(void)
{
	struct message message;
	unsigned i;

	if (w.nmessages == 0)
		return;
	i = rnd(w.nmessages);
	message = w.messages[i];
	/* else it comes once more; a READ's answer can't, since a call gets one */
	if ((message.kind == ANSWER && !message.write) || !accident(20))
		w.messages[i] = w.messages[--w.nmessages];
	if (message.kind == CANCEL)
		host_cancel(&message);
	else if (message.kind != ANSWER)
		host_call(&message);
	else if (message.write)
		write_answered(&w.ops[message.call], &message);
	else
		read_answered(&w.ops[message.call], &message);
}
