/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scenario in memory: packets with their times, already built down to the checksum, and what must become of
 * them. A scenario is open loop: nothing an engine does changes what is sent. So it can be parsed once and
 * run many times, against other profiles and in other bursts, and the runs can be compared byte for byte.
 */
#ifndef SCN_H
#define SCN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/engine.h"

/* Virtual time 0 of every scenario, so that no test can mistake a time for a duration: 2022-03-20T09:00:00Z.
 */
#define SCN_EPOCH_NS (UINT64_C(1647766800) * 1000000000u)

#define SCN_NAME 64
#define SCN_TAGS 4
#define SCN_CUTS 64
#define SCN_SETS 8
#define SCN_SWITCHES 16 /* an engine lets no more wait */
#define SCN_FRAGMENTS 64
#define SCN_ETHERNET_MIN 60 /* without the frame check sequence */

struct scn_error {
	int line;
	char text[512];
};

/* Fills *e and returns false, so that a parser can end with it. */
bool scn_fail(struct scn_error *e, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Payload bytes, and where the name in them lies (SNI or Host), for `at=sni`. */
struct scn_payload {
	uint8_t *bytes;
	size_t len;
	size_t name_off, name_len;
};

/* What a builder says: bytes, and the segments they go out in. */
struct scn_built {
	struct scn_payload payload;
	size_t cut[SCN_CUTS]; /* ends of the segments, ascending; the last is payload.len */
	unsigned int ncuts;
	unsigned int order[SCN_CUTS]; /* of sending, 0-based */
	uint64_t gap_ns;	      /* between two segments */
	struct scn_payload overlap;   /* stands before the first segment, over what was sent before it */
	size_t urgent;		      /* end of the urgent byte in the payload, 0 = none */
	bool ping, again;
};

struct scn_link {
	unsigned int kind; /* enum kd_link */
	uint16_t vlan[SCN_TAGS];
	unsigned int vlans;
	bool pppoe;
	uint16_t session;
	uint32_t label[SCN_TAGS]; /* from inside; the other direction uses label + 1, as a real LSP pair has
				     two */
	unsigned int labels;
};

struct scn_flow {
	char name[SCN_NAME];
	uint8_t proto, version;
	uint8_t opens; /* enum kd_side of the first packet */
	bool used;
	bool no_timestamps;  /* as Windows hosts: headers are short and frames padded */
	uint8_t addr[2][16]; /* by enum kd_side */
	uint16_t port[2];
	unsigned int more; /* flows right behind this one that are the same from the next ports */
	uint32_t next[2];  /* next sequence number of each side */
	unsigned int syns[2];
	uint32_t tsval[2];
	uint16_t ip_id[2];
	struct scn_payload last[2]; /* for `again`; bytes belong to the scenario */
	uint32_t last_seq[2];
};

#define SCN_ANY (-1)

#define SCN_AT_NAME 0 /* a place to cut at: the middle of the name */

/* A packet as IP fragments; count 0 = whole. Fragments are numbered from 1. */
struct scn_fragments {
	unsigned int count, nsend, nttl; /* nsend 0: all in order; nttl 0: all have the packet's */
	uint8_t send[SCN_FRAGMENTS], ttl[SCN_FRAGMENTS];
	unsigned int nat; /* 0: in equal parts; else count - 1 */
	uint16_t at[SCN_FRAGMENTS];
	bool has_id; /* of the packet too, when it is whole */
	uint16_t id;
};

/* What an author may override; SCN_ANY or false: as tracked. */
struct scn_options {
	int flags, ttl, urg;
	/* 0 = as tracked, '=' = absolute, '+' or '-' = off the tracked one */
	char seq_sign, ack_sign, tsval_sign;
	uint32_t seq, ack, tsval;
	bool md5;
	unsigned int times; /* 0 = once; else so many steps, each so much after the one before */
	uint64_t every_ns;
	bool bad_sum, bad_sum_seen; /* wrong bytes; and the driver says so */
	struct scn_fragments fragments;
};

struct scn_packet {
	uint8_t *frame;
	uint32_t len;
	uint64_t time_ns;
	uint8_t side; /* it comes from */
	uint8_t flags, ttl;
	bool bad_sum, bad_sum_seen;
	uint32_t seq, ack, payload_len;
	int flow, step;
};

/* The boxes, or a rule of those that have it, bypassed or inline again. */
struct scn_switch {
	int line;
	bool on;
	const char *rule; /* NULL = the whole box */
	uint64_t time_ns;
	unsigned int before; /* packet */
};

struct scn_step {
	int line;
	unsigned int first, count; /* packets */
	unsigned int burst;	   /* number of the engine burst it goes into */
};

/* A number a packet must carry: none asked, the packet's own, a plain one, or off one of the trigger's. */
enum scn_value_kind {
	SCN_VALUE_ANY,
	SCN_VALUE_SAME,
	SCN_VALUE_PLAIN,
	SCN_VALUE_SEQ,
	SCN_VALUE_ACK,
	SCN_VALUE_END
};

struct scn_value {
	enum scn_value_kind kind;
	uint32_t n;
};

enum scn_expect_kind {
	SCN_EXPECT_FINAL,  /* a packet's final action */
	SCN_EXPECT_INJECT, /* one injected packet of a step */
	SCN_EXPECT_FLOW,
	SCN_EXPECT_FLOWS,
	SCN_EXPECT_VERDICT,
	SCN_EXPECT_NO_VERDICT,
	SCN_EXPECT_APP,
	SCN_EXPECT_COUNTER,
	SCN_EXPECT_DELIVERED, /* payload bytes of one side that left unchanged */
};

/* One expectation. An empty string, SCN_ANY or SCN_VALUE_ANY asks nothing. */
struct scn_expect {
	enum scn_expect_kind kind;
	int line, step, flow; /* flow: SCN_ANY for all */
	unsigned int
		which; /* FINAL: packet of the step from 1, 0 = each; FLOW: record from 1, 0 = the only one */
	int fate, side, flags, outcome, opened, box;
	unsigned int with; /* 0 = as the scenario is set, else the number of its `with` */
	struct scn_value seq, ack, ttl, len;
	uint8_t outside[16], outside_len; /* address that its outside end has; 0 = that of its flow */
	char reason[SCN_NAME], rule[SCN_NAME], armed[SCN_NAME], end[SCN_NAME];
	char key[SCN_NAME], value[256]; /* APP: protocol and field=text; COUNTER: its name */
	uint64_t number;		/* VERDICT: packet; FLOWS: how many */
	bool has_number, has_until, has_later;
	uint64_t later_ns; /* FINAL: that it left behind its coming */
	uint64_t until_ns; /* VERDICT: residual, from the verdict's time */
	char blind[256];   /* FLOW: its blind spots in order of the list, "segments,records", or "none" */
	char unseen[SCN_NAME];
	uint64_t lo, hi;	 /* DELIVERED: bytes; COUNTER: how many */
	uint64_t from_ns, to_ns; /* DELIVERED: leaving in [from, to) */
};

struct scn {
	char name[SCN_NAME];
	const char *file;
	char profile[128], policies[128], case_id[SCN_NAME]; /* policies: folder, "" = the runner's */
	const char *set[SCN_SETS + 1];
	struct {
		const char *set;
		int line;
	} with[SCN_SETS]; /* the same packets once more, that set over all else */
	unsigned int nwith;
	int profile_line, policies_line, case_line;
	bool control; /* says of itself that nothing happens in it */
	uint64_t seed;
	uint32_t flows4_max, flows6_max, events_max;
	uint32_t time_scale; /* 0 = 1 */
	struct kd_endpoint endpoint;
	struct scn_link link;
	unsigned int burst, in_burst, bursts;
	uint64_t now_ns;
	struct scn_flow *flows;
	struct scn_packet *packets;
	struct scn_switch *switches;
	struct scn_step *steps;
	struct scn_expect *expects;
	unsigned int nswitches, nflows, npackets, nsteps, nexpects;
	void **owned; /* everything allocated on the way */
	unsigned int nowned;
};

/* Memory that lives as long as the scenario; never fails (the runner ends when there is none). */
void *scn_alloc(struct scn *s, size_t size);
char *scn_text(struct scn *s, const char *from, size_t len);
/* Grows an array of the scenario by one zeroed element and returns it. */
void *scn_grow(void **array, unsigned int *count, size_t size);

/* parse.c: text to scenario. */
bool scn_parse(struct scn *s, const char *file, const char *text, struct scn_error *e);
void scn_free(struct scn *s);

/* Repetitions of one step, ports of one flow. */
#define SCN_TIMES 4096

#define SCN_WORDS 64

struct scn_words {
	char *word[SCN_WORDS];
	unsigned int count, at;
	int line;
};

/* Cuts at white space outside quotes and brackets; a # that starts a word ends the line. */
bool scn_words(
	struct scn *s, struct scn_words *w, const char *line, size_t len, int number, struct scn_error *e);
const char *scn_word(struct scn_words *w);		     /* next, or NULL */
bool scn_word_is(struct scn_words *w, const char *word);     /* takes it if it is the next */
const char *scn_after(const char *word, const char *prefix); /* rest behind a prefix, or NULL */
bool scn_u64(const char *text, uint64_t max, uint64_t *ret);
bool scn_duration(const char *text, uint64_t *ret_ns); /* "18ms", "10min", "0" */
int scn_flags(const char *letters);		       /* "RA" to TCP flags, SCN_ANY if it is none */
int scn_flow_find(const struct scn *s, const char *name);

struct scn_parser {
	struct scn *s;
	struct scn_words *w;
	struct scn_error *e;
};

/* step.c: a line that starts with a time. */
bool scn_parse_step(struct scn_parser *p, const char *time);

/* expect.c: the words behind `expect`. step < 0: at the end of the scenario. */
bool scn_parse_expect(struct scn *s, struct scn_words *w, int step, struct scn_error *e);

/* builder.c: "split(clienthello(sni=x), at=sni)" to bytes. */
bool scn_build(struct scn *s, struct scn_built *b, const char *text, int line, struct scn_error *e);

/* hello.c */
struct scn_hello {
	const char *sni, *alpn; /* sni NULL = no such extension; alpn "h2+http/1.1" */
	bool tls12, ech;
	size_t size; /* of the whole record; 0 = 517 when it is not longer anyway */
	long pad;    /* bytes in the padding extension, -1 = by size */
};
/* 0, or a sentence why not. */
const char *scn_clienthello(struct scn *s, struct scn_payload *p, const struct scn_hello *h);

/* packet.c: adds one packet to the scenario and moves the flow's numbers on. */
struct scn_send {
	int flow, step, side;
	uint64_t time_ns;
	uint8_t flags; /* TCP */
	bool ping;
	const uint8_t *payload;
	size_t len;
	size_t name_at;		/* in it: the middle of the name; 0 = none */
	const uint32_t *at_seq; /* a segment out of order or again: its place; the flow does not move */
	const struct scn_options *options;
};
const char *scn_send(struct scn *s, const struct scn_send *send);
/* fragment.c: an option of a step. 1 = one of these, 0 = none, -1 = a wrong one. */
int scn_fragment_option(struct scn_fragments *f, const char *word);
/* Cuts the packet added last; its fragments take its place. name_at: the middle of the name in the packet's
 * IP payload, 0 = none. */
const char *scn_fragment(struct scn *s, const struct scn_fragments *f, size_t name_at);
/* The link header of a direction; returns its length. ip_len goes into lengths. At most 64 bytes. */
size_t scn_link_header(
	const struct scn_link *l, unsigned int from, unsigned int version, size_t ip_len, uint8_t *out);

#endif
