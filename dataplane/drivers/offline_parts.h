/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A run of the offline driver at work: what it has open, and where its packets live. Between offline.c, which
 * takes packets through, and offline_setup.c. Only they include this.
 */
#ifndef KD_OFFLINE_PARTS_H
#define KD_OFFLINE_PARTS_H

#include "drivers/capture.h"
#include "drivers/chain.h"
#include "drivers/offline_out.h"
#include "drivers/side.h"
#include "report/blind.h"
#include "report/order.h"

#define KD_OFFLINE_HEADROOM 64
#define KD_OFFLINE_TAILROOM 128
#define KD_OFFLINE_DRAIN 64 /* events taken out of the ring at a time */

/* Where a packet lives from its reading to its final action. */
struct kd_offline_slot {
	struct kd_offline_slot *next_free;
	uint8_t *bytes;	   /* KD_OFFLINE_HEADROOM before the packet, KD_OFFLINE_TAILROOM behind */
	uint8_t *original; /* the packet as it entered; NULL unless somebody wants to see it */
	struct kd_entered in;
	uint64_t number;
	bool wrong_sum;
	bool out; /* the engine has it */
};

struct kd_offline_chunk {
	struct kd_offline_chunk *next;
	uint8_t *bytes, *originals;
	struct kd_offline_slot slots[];
};

/* Place of a packet or record in the one order of a run. */
struct kd_offline_place {
	uint64_t time_ns, number;
};

struct kd_offline_work {
	const struct kd_offline *o;
	struct kd_offline_result *ret;
	struct kd_capture *capture;
	struct kd_side_judge *judge;
	struct kd_chain *chain;
	unsigned int nboxes;
	struct kd_blind *blind; /* the observers beside it */
	struct kd_guard *guard; /* of the live run whose ingress this is, else NULL */
	struct kd_order *order;
	struct kd_offline_out files;
	struct kd_event *drained;
	struct kd_offline_chunk *chunks;
	struct kd_offline_slot *free;
	struct kd_pkt *pkts;
	unsigned int npkts;
	struct kd_out out;
	uint64_t last_ns; /* time of the latest packet */
	uint64_t owned;	  /* packets the engine has */
	uint64_t given;
	bool originals; /* keep the bytes as they entered */
	bool enforced;	/* something was done to a packet: from here on the capture is open-loop */
	struct kd_offline_place enforced_at;
	bool closed_loop;
};

static inline bool kd_offline_failed(const struct kd_offline_work *r)
{
	return r->ret->end != KD_OFFLINE_OK;
}

/* offline_setup.c. Failures go to r->ret; kd_offline_close follows either way. */
void kd_offline_open(struct kd_offline_work *r);
void kd_offline_close(struct kd_offline_work *r);
/* More slots, a burst's worth; -ENOMEM. */
int kd_offline_slots_add(struct kd_offline_work *r);
void kd_offline_no_memory(struct kd_offline_work *r);
/* For messages. */
const char *kd_offline_input_name(const struct kd_offline_work *r);

/* offline.c. What one of several boxes did, and a record whose turn it is; user is the work. */
void kd_offline_on_seen(void *user, const struct kd_action *a);
void kd_offline_on_event(void *user, const struct kd_event *e);

#endif
