/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What one run of a scenario left behind, and the judges over it.
 */
#ifndef RUN_H
#define RUN_H

#include "scn.h"

#include "drivers/chain.h"
#include "rulebook/boxes.h"

/* How the same packets are fed. */
struct run_plan {
	const char *name;
	unsigned int burst; /* packets per burst; 0 = as the scenario groups its steps */
	bool advances;	    /* tell the time between packets too */
	uint16_t room;	    /* writable bytes before and behind each frame */
};

struct run_action {
	struct kd_action a;  /* a.data is our copy */
	unsigned int packet; /* index of the input packet that caused it */
};

struct run {
	const struct scn *scn;
	const struct kd_boxes *boxes;
	struct run_action *actions; /* in order of (time, number, n) */
	unsigned int nactions;
	struct kd_event *events; /* in order of (time, number, box, n) */
	unsigned int nevents;
	unsigned int *final_of;	     /* by packet: index of its final action */
	struct kd_counters counters; /* of the whole path */
	struct kd_counters box[KD_CHAIN_MAX];
	char broken[512]; /* the first broken promise of the engine; "" = none */
};

/* drive.c: fresh engines, all packets. false: they could not be made. */
bool run_scenario(
	struct run *r, const struct scn *s, const struct kd_boxes *boxes, const struct run_plan *plan);
void run_free(struct run *r);
void run_broken(struct run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* promises.c: what holds for every engine, profile and scenario; the first breach goes to r->broken. */
void run_check_promises(struct run *r);

/* A frame as the receiver sees it. Our own reading, sharing no code with the engine's. */
struct wire {
	const char *wrong; /* NULL = every length and checksum is right */
	uint8_t version, proto, flags, ttl;
	bool fragment;				   /* of IP: its payload is that of IP */
	size_t link_len, payload_len, trailer_len; /* trailer: bytes behind the IP datagram */
	const uint8_t *payload, *trailer;
	uint8_t addr[2][16]; /* source, destination */
	uint16_t port[2];
	uint32_t seq, ack;
};
void wire_read(struct wire *w, unsigned int link, const uint8_t *frame, size_t len);

/* describe.c: one line of text, the same for the same thing; for -v and to compare runs. */
void describe_packet(char *buf, size_t room, const struct scn *s, unsigned int packet);
void describe_action(char *buf, size_t room, const struct run *r, const struct run_action *a);
void describe_event(char *buf, size_t room, const struct run *r, const struct kd_event *e);
/* "segments,records", or "none". */
void describe_blind(char *buf, size_t room, const struct kd_event *e);
const char *describe_rule(const struct run *r, unsigned int box, unsigned int rule);
/* Flow of a record's tuple, -1 if it is none of the scenario's. */
int event_flow(const struct scn *s, const struct kd_event *e);
/* "" or the first difference between two runs. */
void describe_difference(char *buf, size_t room, const struct run *a, const struct run *b);

/* check.c: whether an expectation holds; if not, why says what was expected and what was got. */
bool check_expect(const struct run *r, const struct scn_expect *x, char *why, size_t room);
/* An injection that no step expects, or ""; *line is its step's. */
void check_injections(const struct run *r, char *why, size_t room, int *line);

/* cases.c: the transcription of the numbered cases. */
struct cases;
struct cases *cases_load(const char *path); /* NULL: unreadable */
void cases_free(struct cases *c);
/* "" or why scenario s may not claim its case. */
void cases_check(const struct cases *c, const struct scn *s, char *why, size_t room);
void cases_note(struct cases *c, const struct scn *s, bool ok);
void cases_print(const struct cases *c);

#endif
