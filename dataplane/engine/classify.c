/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which protocol a payload speaks: the parsers of the registry, in its order, the first match wins. A parser
 * that needs more gets no more here (whether it does with a later packet is stream.c's); what it saw is the
 * packet's reason. Protocols that this box does not know are not tried.
 */
#include "engine/internal.h"

static void how(struct kd_step *s, uint32_t len)
{
	s->app.how = (struct kd_how){.from = s->look_from,
		.to = s->look_to < len ? s->look_to : len,
		.join = (uint8_t)kd_knob(s, KD_KNOB_TLS_JOIN_RECORDS),
		.padded = (uint8_t)kd_knob(s, KD_KNOB_TLS_PADDED_HELLO),
		.requests = (uint8_t)kd_knob(s, KD_KNOB_HTTP_REQUESTS),
		.transport = (uint8_t)kd_transport(s),
		.room = s->e->room,
		.room_len = s->e->room != NULL ? KD_ROOM_BYTES : 0};
}

/* Recognised: the flow's knobs are found again, for this protocol, before anybody asks about names. What is
 * not believed says nothing of the flow. */
static void recognise(struct kd_step *s, unsigned int i)
{
	s->app_index = (uint8_t)i;
	if (s->flow->app != i + 1 && !s->hidden) {
		s->flow->app = i + 1;
		kd_knobs_resolve(s);
	}
	s->exact_case = kd_knob(s, KD_KNOB_NAMES_CASE) == KD_NAME_CASE_EXACT;
	s->dot_ignored = kd_knob(s, KD_KNOB_NAMES_TRAILING_DOT) == KD_TRAILING_DOT_IGNORED;
	s->wants_more = s->app.partial;
	s->reason = KD_REASON_PROTOCOL(i, s->app.why);
	if (!s->hidden && !s->asks)
		kd_record_app(s);
}

void kd_classify(struct kd_step *s)
{
	unsigned int transport = kd_transport(s);
	uint64_t speaks = s->e->policy->box.protocols;
	uint16_t almost = 0;

	s->wants_more = false;
	for (unsigned int i = 0; i < KD_PROTOCOL_COUNT; i++) {
		const struct kd_protocol *p = kd_protocols[i];
		enum kd_parse got;
		uint32_t len;

		if ((p->transports & transport) == 0 || (speaks >> i & 1) == 0)
			continue;
		s->app.why = 0;
		s->app.alone = false;
		s->app.leads = s->app.partial = s->app.goes_on = false;
		s->app.joined = s->app.apart = false;
		s->app.next = 0;
		s->app.scratch_len = 0;
		for (unsigned int f = 0; f < KD_FIELDS_MAX; f++)
			s->app.field[f] = (struct kd_app_field){.p = NULL};
		len = s->look_len < p->budget_bytes ? s->look_len : p->budget_bytes;
		how(s, len);
		got = p->parse(s->look, len, &s->app);
		if (got == KD_MATCH) {
			recognise(s, i);
			return;
		}
		/* A datagram does not go on in the next. */
		if (got == KD_NEED_MORE && transport == KD_TRANSPORT_UDP && len < p->budget_bytes &&
			s->view->payload_len == s->view->payload_wire_len)
			continue;
		if (got == KD_NEED_MORE && !s->app.alone && len < p->budget_bytes)
			s->wants_more = true;
		if (got == KD_NEED_MORE && almost == 0)
			almost = s->view->payload_len < s->view->payload_wire_len
					 ? KD_REASON_TRUNCATED_CAPTURE
				 : len < p->budget_bytes ? KD_REASON_PROTOCOL(i, s->app.why)
							 : KD_REASON_CLASSIFY_BYTES;
	}
	s->reason = almost != 0 ? almost : KD_REASON_CLASSIFY_UNKNOWN;
}
