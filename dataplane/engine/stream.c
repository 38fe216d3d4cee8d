/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which payload the box looks at. In 2021 and 2022 it puts nothing together: each segment is inspected alone,
 * so a hello in two segments is never seen whole (X-SEG-1). It looks at the first inspect.packets payload
 * packets of each side, whatever they are, and then gives the flow up. X-THR-2021 is finer: once the first
 * packet looks like TLS, a proxy's HTTP or SOCKS it looks at 15-20 more, and a first packet of 101 or more
 * unknown bytes clears the flow. That, and looking on behind a clean hello, is not modelled yet.
 */
#include "engine/internal.h"

enum kd_offer kd_stream_offer(struct kd_step *s)
{
	struct kd_flow *f = s->flow;
	uint16_t *looked_at = &f->open.looked_at[s->pkt->side];

	if (s->view->payload_len == 0) {
		s->reason = s->view->payload_wire_len != 0 ? KD_REASON_TRUNCATED_CAPTURE
							   : KD_REASON_FLOW_NO_PAYLOAD;
		return KD_OFFER_NOTHING;
	}
	if (*looked_at >= s->e->budget) {
		s->reason = KD_REASON_CLASSIFY_BUDGET;
		kd_flow_note_nearest(f, s->reason);
		if (*looked_at > s->e->budget)
			return KD_OFFER_NOTHING;
		++*looked_at;
		return KD_OFFER_SPENT;
	}
	++*looked_at;
	return KD_OFFER_PAYLOAD;
}
