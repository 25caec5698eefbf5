/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* status.c -- rdmaxferctl prints what a process answers to STATUS */

#include <stdio.h>
#include <stdlib.h>

#include "ctl.h"
#include "fuzz.h"
#include "xfer/xfer.h"

static struct input answer;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	FUZZ_CHECK(freopen("/dev/null", "w", stdout) != NULL);
	stderr = stdout; /* libFuzzer keeps the one that there was */
	return 0;
}

/* In place of libxfer's, which would ask a process. */
int xfer_status(const char *address, unsigned timeout_ms, char **text)
{
	(void)address;
	(void)timeout_ms;
	*text = input_text(&answer);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct ctl ctl = { .target = "/socket" };
	int result;

	answer = (struct input){ data, size };
	result = ctl_status(&ctl);
	FUZZ_CHECK(result == CTL_OK || result == CTL_UNREACHABLE);
	return 0;
}
