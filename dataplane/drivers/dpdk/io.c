/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets from and to the ports, by the one thread that owns them: stamped, numbered, copied for the capture,
 * delayed on the outside port. Nothing here looks into a packet. What a port does not take after some tries
 * is dropped and counted, so one bad packet never stops the others.
 */
#include <rte_ethdev.h>

#include "drivers/dpdk/parts.h"

#define TX_TRIES 16

/* One reading of the clock for a burst. */
static uint64_t now(struct kd_io *io)
{
	uint64_t ns = kd_clock_ns(&io->clock);

	if (ns > io->last_ns)
		io->last_ns = ns;
	return io->last_ns;
}

/* A packet in one piece, or NULL: it does not fit one buffer and is gone. */
static struct rte_mbuf *in_one_piece(struct kd_io *io, struct rte_mbuf *m)
{
	if (m->nb_segs == 1 || rte_pktmbuf_linearize(m) == 0)
		return m;
	io->books.lost_in[KD_LOSS_MULTI_SEGMENT]++;
	rte_pktmbuf_free(m);
	return NULL;
}

/* The capture's copy, made before the engine may rewrite the packet. */
static void copy(struct kd_io *io, struct rte_mbuf *m)
{
	struct rte_mbuf *c = rte_pktmbuf_copy(m, io->copies, 0, UINT32_MAX);

	if (c != NULL) {
		*kd_note(c) = *kd_note(m);
		if (rte_ring_sp_enqueue(io->capture, c) == 0)
			return;
		rte_pktmbuf_free(c);
	}
	io->books.capture_lost++;
}

static unsigned int arrive(struct kd_io *io, unsigned int side, struct rte_mbuf **m)
{
	unsigned int n = 0, got;

	if (io->stopping)
		return 0;
	got = rte_eth_rx_burst(io->port[side], 0, m, KD_LIVE_BURST);
	io->books.received[side] += got;
	for (unsigned int i = 0; i < got; i++) {
		struct rte_mbuf *whole = in_one_piece(io, m[i]);

		if (whole != NULL)
			m[n++] = whole;
	}
	return n;
}

/* What arrived waits; what is due comes out in its place. */
static unsigned int delayed(struct kd_io *io, struct rte_mbuf **m)
{
	unsigned int n = arrive(io, KD_OUTSIDE, m);
	uint64_t at = now(io);

	for (unsigned int i = 0; i < n; i++) {
		if (kd_delay_put(&io->in, m[i], at + io->delay_ns))
			continue;
		io->books.lost_in[KD_LOSS_DELAY_FULL]++;
		rte_pktmbuf_free(m[i]);
	}
	n = kd_delay_take(&io->in, m, KD_LIVE_BURST, at);
	io->books.waiting_in = kd_delay_count(&io->in);
	return n;
}

unsigned int kd_io_receive(struct kd_io *io, unsigned int side, struct rte_mbuf **m)
{
	bool waits = side == KD_OUTSIDE && io->in.slot != NULL;
	unsigned int n = waits ? delayed(io, m) : arrive(io, side, m);
	uint64_t at;

	if (n == 0)
		return 0;
	at = now(io);
	for (unsigned int i = 0; i < n; i++) {
		*kd_note(m[i]) =
			(struct kd_note){.time_ns = at, .number = ++io->number, .side = (uint8_t)side};
		if (io->capture != NULL)
			copy(io, m[i]);
	}
	return n;
}

static void transmit(struct kd_io *io, unsigned int side, struct rte_mbuf **m, unsigned int n)
{
	unsigned int done = 0, tries = 0;

	while (done < n) {
		unsigned int took = rte_eth_tx_burst(io->port[side], 0, m + done, (uint16_t)(n - done));

		io->books.sent[side] += took;
		done += took;
		if (took > 0) {
			tries = 0;
		} else if (++tries == TX_TRIES) {
			io->books.lost_out[KD_LOSS_TX_FULL]++;
			rte_pktmbuf_free(m[done++]);
			tries = 0;
		}
	}
}

void kd_io_send(struct kd_io *io, unsigned int side, struct rte_mbuf **m, unsigned int n)
{
	uint64_t due_ns;

	if (n == 0)
		return;
	if (side != KD_OUTSIDE || io->out.slot == NULL) {
		transmit(io, side, m, n);
		return;
	}
	due_ns = now(io) + io->delay_ns;
	for (unsigned int i = 0; i < n; i++) {
		if (kd_delay_put(&io->out, m[i], due_ns))
			continue;
		io->books.lost_out[KD_LOSS_DELAY_FULL]++;
		rte_pktmbuf_free(m[i]);
	}
	io->books.waiting_out = kd_delay_count(&io->out);
}

unsigned int kd_io_tend(struct kd_io *io)
{
	struct rte_mbuf *m[KD_LIVE_BURST];
	unsigned int n;

	if (kd_delay_count(&io->out) == 0)
		return 0;
	n = kd_delay_take(&io->out, m, KD_LIVE_BURST, now(io));
	transmit(io, KD_OUTSIDE, m, n);
	io->books.waiting_out = kd_delay_count(&io->out);
	return n;
}
