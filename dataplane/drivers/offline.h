/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The offline driver: a capture in, events and an annotated capture out, packet time as the clock. A thin
 * loop over the engine; what comes out does not depend on the burst size or on extra advances.
 */
#ifndef KD_OFFLINE_H
#define KD_OFFLINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "drivers/chain.h"
#include "drivers/side.h"
#include "engine/engine.h"
#include "engine/event.h"

struct kd_policy;
struct kd_boxes;

/* auto: nothing is hidden from the box, offload marks and wrong sums are counted and said; a wrong one is
 * what the box's knob fake.checksum says. trust: not looked at, all are right. verify: packets with a wrong
 * or unfinished checksum are forwarded without inspection. */
enum kd_checksums { KD_CHECKSUMS_AUTO, KD_CHECKSUMS_TRUST, KD_CHECKSUMS_VERIFY };

#define KD_OFFLINE_BURST_DEFAULT 32
#define KD_OFFLINE_BURST_MAX KD_BURST_MAX
#define KD_OFFLINE_PIECES 64

/* Somebody who listens; either call may be NULL. Actions come in the engine's order with the packet's
 * bytes as they entered (NULL for an injected packet); events come in theirs, later. Of several boxes every
 * one's actions come, also on packets that went on to the next. */
struct kd_offline_sink {
	void *user;
	void (*action)(void *user, const struct kd_action *a, const uint8_t *original, uint32_t original_len);
	void (*event)(void *user, const struct kd_event *e, bool open_loop);
};

struct kd_offline {
	const struct kd_policy *policy; /* of the only box, or of the first */
	const struct kd_boxes *boxes;	/* when there are several: all; else NULL */
	/* What a capture of kordon's own was recorded under, if that is another: the lab its guard knew
	 * counts all the same. NULL = policy. */
	const struct kd_policy *recorded;
	uint64_t seed;
	const char *input;	 /* path, "-" = standard input */
	const char *output;	 /* annotated pcapng, or NULL */
	const char *events;	 /* JSON lines, "-" = standard output, or NULL; no output may be the input */
	const char *inside_nets; /* "10.0.0.0/8,..." or NULL */
	enum kd_checksums checksums;
	unsigned int burst; /* 1..KD_OFFLINE_BURST_MAX */
	unsigned int ticks; /* test aid: advances between two bursts, none of which may change a byte */
	bool keep;	    /* the pcapng also holds dropped packets and the originals of rewritten ones */
	bool unobserved;    /* nobody tells blind spots: events as a live run writes them */
	struct kd_endpoint endpoint; /* told of the way behind the box; a lab's capture tells it, too */
	const struct kd_offline_sink *sink; /* or NULL */
	/* What goes in instead of packet `number` of the capture, at most KD_OFFLINE_PIECES packets good
	 * until the next call; returns how many. NULL = the packet itself. */
	unsigned int (*reshape)(void *user, const struct kd_captured *c, uint64_t number, unsigned int link,
		struct kd_captured *out);
	void *reshape_user;
};

/* How a run ended, numbered like the commands' exit codes. */
enum kd_offline_end {
	KD_OFFLINE_OK = 0,
	KD_OFFLINE_USAGE = 2, /* the options contradict themselves */
	KD_OFFLINE_INPUT = 4, /* unreadable or truncated; all before that point was processed and written */
	KD_OFFLINE_ENVIRONMENT = 5, /* an output failed, no memory */
	KD_OFFLINE_INTERNAL = 6,    /* conservation broken, events lost */
};

#define KD_OFFLINE_SKIPPED_MAX 8

struct kd_offline_result {
	enum kd_offline_end end;
	char message[512]; /* why not OK */
	uint64_t packets;  /* read from the capture */
	uint64_t fates[KD_FATE_COUNT];
	/* Of ended flows, by box. */
	uint64_t outcomes[KD_CHAIN_MAX][KD_OUTCOME_COUNT];
	uint64_t sides[KD_SIDE_RULE_COUNT]; /* packets whose side each rule decided */
	const char *inside;		    /* the one rule that did, "mixed", or "none" */
	uint64_t clamped;		    /* went back in time */
	uint64_t unfinished, wrong, super;  /* checksums and frames, see checksum.h */
	bool verified;			    /* --checksums verify */
	bool sums_matter;		    /* fake.checksum is not `believe` for every flow */
	uint64_t untracked;
	uint32_t other_scale; /* --time-scale of the live run whose ingress this is, if not this run's; else 0
			       */
	struct kd_endpoint endpoint; /* what the observer went by */
	bool endpoint_guessed;	     /* some of it was told by nobody: neither option nor capture */
	/* Packets of interfaces whose link type we cannot read: numbered, never given to the engine. */
	uint64_t skipped;
	struct {
		uint32_t iface, dlt;
		uint64_t packets;
		char name[32];
	} skipped_by[KD_OFFLINE_SKIPPED_MAX];
	unsigned int nskipped_by;
};

/* The enum kd_link of a LINKTYPE_ number; -ENOTSUP. */
int kd_offline_link(uint32_t dlt);

/* Always fills *ret; returns ret->end. */
enum kd_offline_end kd_offline_run(const struct kd_offline *o, struct kd_offline_result *ret);

/* What a person should know about the run, one "kordon: " line each: guesses, offload marks, skipped packets.
 */
void kd_offline_say(const struct kd_offline_result *result, FILE *to);

#endif
