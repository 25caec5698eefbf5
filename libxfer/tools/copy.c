/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* copy.c -- what copying the payload once costs */

#include <errno.h>
#include <string.h>

#include "bench.h"

int copy_run(const struct region *from, struct region *to, uint32_t size, uint64_t bytes,
	struct measurement *measurement, struct progress *progress)
{
	int err = measurement_begin(measurement);
	size_t offset = 0;

	if (err)
		return err;
	progress_begin(progress, "memcpy", 0);
	for (uint64_t done = 0; done < bytes && !interrupted(); done += size) {
		uint64_t begun = xfer_now_ns();

		memcpy(to->data + offset, from->data + offset, size);
		measurement_add(measurement, size, xfer_now_ns() - begun);
		offset += size;
		if (offset == from->size)
			offset = 0;
		progress_show(progress, measurement);
	}
	measurement_end(measurement);
	return interrupted() ? -EINTR : 0;
}
