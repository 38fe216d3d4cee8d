/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fixed-size records that the engine writes into its ring and somebody else formats. Shapes only;
 * report/json.c turns them into eve-like JSON lines. Records sort by (time_ns, number, box, n, flow_id),
 * which no burst size or worker count moves.
 */
#ifndef KD_EVENT_H
#define KD_EVENT_H

#include <stdint.h>

enum kd_event_type {
	KD_EVENT_APP,	  /* a protocol was recognised: its fields */
	KD_EVENT_VERDICT, /* a rule took hold of a flow, watched it, let it through, could not act or was
			     missed, or its residual ended */
	KD_EVENT_FLOW,	  /* a flow ended, acted on or not */
	KD_EVENT_UNSEEN,  /* of an observer: the bytes that the endpoint gets match a rule */
	KD_EVENT_BOX,	  /* the box, or its `rule`, was bypassed or is inline again; of no flow */
};

enum kd_outcome { KD_OUTCOME_PASSED, KD_OUTCOME_DEGRADED, KD_OUTCOME_BLOCKED, KD_OUTCOME_COUNT };

#define KD_NUMBER_END UINT64_MAX
#define KD_APP_NONE 0xff
#define KD_FIELDS_MAX 6
#define KD_FIELD_ABSENT 0xffff
#define KD_EVENT_TEXT 512

/* Addresses are of the inside and the outside end (index enum kd_side); IPv4 in the first four bytes. */
struct kd_tuple {
	uint8_t addr[2][16];
	uint16_t port[2];
	uint8_t ip_version; /* 4 or 6 */
	uint8_t ip_proto;
	uint8_t opened; /* enum kd_side of the flow's first packet: eve's client, "to server" is away from it
			 */
};

/* One field of a recognised protocol; its name and kind stand in the protocol's manifest at the same index.
 */
struct kd_event_field {
	uint16_t off, len; /* into text; len KD_FIELD_ABSENT = not there */
	uint32_t num;	   /* KD_FIELD_HEX16: the value */
};

struct kd_event {
	uint64_t time_ns;
	uint64_t number; /* input packet that caused it; 0: a flow ended by time; KD_NUMBER_END: by the end of
			    the run */
	uint64_t flow_id;
	uint32_t n; /* ordinal among the records of one input packet; for ended flows a number of the flow's
		       own */
	uint8_t box;
	uint8_t type;	     /* enum kd_event_type */
	uint8_t app;	     /* protocol index or KD_APP_NONE */
	uint8_t outcome;     /* FLOW: enum kd_outcome */
	uint16_t reason;     /* VERDICT: why; FLOW: reason of the outcome, i.e. of the last decision */
	uint16_t end_reason; /* FLOW: why the record was written: idle, reopened, end of run */
	uint16_t rule;	     /* VERDICT, FLOW (blocked or degraded): acting rule; 0 none */
	uint16_t armed;	     /* FLOW that passed: the rule that matched and never bit; 0 none */
	uint64_t pkts[2];    /* FLOW: by enum kd_side the packets came from, on entry */
	uint64_t bytes[2];   /* FLOW: link bytes on the wire, same index */
	uint64_t until_ns;   /* VERDICT: end of the residual; 0 none */
	uint64_t spots;	 /* bit per enum kd_spot. UNSEEN: what had to be done to see it; FLOW of a box that is
			    observed: what the box does, and once joined its blind spots */
	uint16_t unseen; /* FLOW, once joined: the rule that the endpoint's bytes match; 0 none */
	uint16_t looks;	 /* UNSEEN: payload packets of that side so far; FLOW: as many are looked at */
	uint8_t side;	 /* UNSEEN: enum kd_side of the bytes */
	uint8_t gave_up; /* FLOW: bit per side given up for its first packets */
	uint8_t untouched; /* FLOW: no rule ever had hold of it */
	uint8_t bypassed;  /* BOX: from now on */
	struct kd_tuple tuple;
	struct kd_event_field field[KD_FIELDS_MAX]; /* APP and VERDICT */
	uint16_t name_at;			    /* offset of the name in the packet's frame, 0 unknown */
	uint16_t text_len;
	uint8_t text[KD_EVENT_TEXT];
};

#endif
