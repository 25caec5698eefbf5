/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* transfer.c -- READs and WRITEs of a file, so many of them under way */

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <unistd.h>

#include "bench.h"

/* One operation after the other: on each nstreams-th block, round and round. */
struct stream {
	struct xfer_io io; /* first: leads from its callback here */
	struct transfer *transfer;
	struct iovec iov; /* what is left of the block */
	size_t block;
	bool covered; /* each of its blocks has had its turn since transfer_rewind */
	uint64_t begun_ns;
	TAILQ_ENTRY(stream) link;
};

struct transfer {
	const struct scratch *scratch;
	const struct region *region;
	uint32_t size;
	size_t blocks;

	/* Of a run. */
	bool write;
	uint64_t until_ns; /* 0: until all blocks are covered */
	struct measurement *measurement;
	_Atomic bool stopping;
	_Atomic unsigned running; /* streams that aren't done */
	pthread_mutex_t lock;     /* of what follows */
	int err;
	uint64_t delays;
	TAILQ_HEAD(, stream) delayed;

	unsigned nstreams;
	struct stream streams[];
};

/* --- streams: on lane threads too ---------------------------------------------------------------- */

static void submit(struct stream *stream)
{
	if (stream->transfer->write)
		xfer_op_write(&stream->io);
	else
		xfer_op_read(&stream->io);
}

static void begin(struct stream *stream)
{
	const struct transfer *transfer = stream->transfer;
	uint64_t offset = (uint64_t)stream->block * transfer->size;

	stream->iov = (struct iovec){ transfer->region->data + offset, transfer->size };
	stream->io.offset = offset;
	stream->begun_ns = xfer_now_ns();
	submit(stream);
}

/* The last thing about it: from here on the run may be over. */
static void end(struct stream *stream, int err)
{
	struct transfer *transfer = stream->transfer;

	if (err) {
		pthread_mutex_lock(&transfer->lock);
		if (!transfer->err)
			transfer->err = err;
		pthread_mutex_unlock(&transfer->lock);
		transfer->stopping = true;
	}
	transfer->running--;
}

static bool wants_more(const struct stream *stream)
{
	const struct transfer *transfer = stream->transfer;

	if (transfer->stopping)
		return false;
	return transfer->until_ns ? xfer_now_ns() < transfer->until_ns : !stream->covered;
}

/* A thread that may wait asks again. */
static void put_off(struct stream *stream)
{
	struct transfer *transfer = stream->transfer;

	pthread_mutex_lock(&transfer->lock);
	transfer->delays++;
	TAILQ_INSERT_TAIL(&transfer->delayed, stream, link);
	pthread_mutex_unlock(&transfer->lock);
}

static void go_on(struct stream *stream)
{
	struct transfer *transfer = stream->transfer;

	if (transfer->measurement)
		measurement_add(
			transfer->measurement, transfer->size, xfer_now_ns() - stream->begun_ns);
	stream->block += transfer->nstreams;
	if (stream->block >= transfer->blocks) {
		stream->block = (size_t)(stream - transfer->streams);
		stream->covered = true;
	}
	if (wants_more(stream))
		begin(stream);
	else
		end(stream, 0);
}

static void done(struct xfer_io *io)
{
	struct stream *stream = (struct stream *)io;

	if (io->result == -EAGAIN) {
		put_off(stream);
	} else if (io->result) {
		end(stream, io->result);
	} else if (io->count == stream->iov.iov_len) {
		go_on(stream);
	} else if (io->count == 0) {
		end(stream, -EIO); /* the file is shorter than it was */
	} else {
		stream->iov.iov_base = (uint8_t *)stream->iov.iov_base + io->count;
		stream->iov.iov_len -= io->count;
		io->offset += io->count;
		submit(stream);
	}
}

/* --- runs ---------------------------------------------------------------------------------------- */

static void ask_again(struct transfer *transfer)
{
	TAILQ_HEAD(, stream) delayed = TAILQ_HEAD_INITIALIZER(delayed);
	struct stream *stream;

	pthread_mutex_lock(&transfer->lock);
	TAILQ_CONCAT(&delayed, &transfer->delayed, link);
	pthread_mutex_unlock(&transfer->lock);
	while ((stream = TAILQ_FIRST(&delayed))) {
		TAILQ_REMOVE(&delayed, stream, link);
		if (transfer->stopping)
			end(stream, 0);
		else
			submit(stream);
	}
}

static void wait_done(struct transfer *transfer, struct progress *progress)
{
	uint64_t stopped_ns = 0, longest = CTL_TIMEOUT_MS * XFER_NS_PER_MS;

	while (transfer->running > 0) {
		usleep(BENCH_TICK_US);
		if (interrupted() || link_trouble())
			transfer->stopping = true;
		if (transfer->stopping && !stopped_ns)
			stopped_ns = xfer_now_ns();
		/* What is under way ends with the session, if not by itself. */
		if (stopped_ns && xfer_now_ns() > stopped_ns + longest)
			xfer_session_end(transfer->scratch->session);
		ask_again(transfer);
		progress_show(progress, transfer->measurement);
	}
}

int transfer_run(struct transfer *transfer, bool write, double seconds,
	struct measurement *measurement, struct progress *progress)
{
	transfer->write = write;
	transfer->until_ns = seconds > 0 ? xfer_now_ns() + (uint64_t)(seconds * 1e9) : 0;
	transfer->measurement = measurement;
	transfer->stopping = false;
	transfer->err = 0;
	transfer->delays = 0;
	transfer->running = transfer->nstreams;
	for (unsigned i = 0; i < transfer->nstreams; i++) {
		if (wants_more(&transfer->streams[i]))
			begin(&transfer->streams[i]);
		else
			end(&transfer->streams[i], 0);
	}
	wait_done(transfer, progress);
	if (measurement)
		measurement->delays = transfer->delays;
	if (interrupted() || link_trouble())
		return -EINTR;
	return transfer->err;
}

/* --- life ---------------------------------------------------------------------------------------- */

void transfer_rewind(struct transfer *transfer)
{
	for (unsigned i = 0; i < transfer->nstreams; i++) {
		transfer->streams[i].block = i;
		transfer->streams[i].covered = false;
	}
}

struct transfer *transfer_create(
	const struct scratch *scratch, const struct region *region, uint32_t size, unsigned depth)
{
	struct transfer *transfer =
		calloc(1, sizeof(*transfer) + depth * sizeof(*transfer->streams));

	if (!transfer)
		return NULL;
	transfer->scratch = scratch;
	transfer->region = region;
	transfer->size = size;
	transfer->blocks = region->size / size;
	transfer->nstreams = depth;
	pthread_mutex_init(&transfer->lock, NULL);
	TAILQ_INIT(&transfer->delayed);
	for (unsigned i = 0; i < depth; i++) {
		struct stream *stream = &transfer->streams[i];

		stream->transfer = transfer;
		stream->io = (struct xfer_io){ .session = scratch->session,
			.cred = scratch->cred,
			.handle = scratch->handle,
			.open_id = scratch->open_id,
			.iov = &stream->iov,
			.iovcnt = 1,
			.stability = XFER_UNSTABLE,
			.done = done };
	}
	return transfer;
}

void transfer_destroy(struct transfer *transfer)
{
	pthread_mutex_destroy(&transfer->lock);
	free(transfer);
}
