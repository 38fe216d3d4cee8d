/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of `kordon bench` share: the packets it makes and what it says of the machine. Only
 * cmd/bench*.c include this.
 */
#ifndef KD_CMD_BENCH_H
#define KD_CMD_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/dpdk/bench.h"
#include "engine/engine.h"
#include "report/json.h"

struct kd_args;

/* --- bench_load.c: packets of N flows
 * ----------------------------------------------------------------------------- */

/* Frames of one load. Twice the 32k of the method: far more lines than an L2 holds when their turn comes. */
#define KD_BENCH_FRAMES 65536
/* Apart like DPDK's buffers, and an odd number of lines, so that all sets of a cache are used alike. */
#define KD_BENCH_STRIDE 2240
#define KD_BENCH_HELLO_MAX 512

enum kd_bench_app {
	KD_BENCH_TLS,	   /* a ClientHello over TCP, then data */
	KD_BENCH_TLS_ACKS, /* then bare acknowledgements, padded */
	KD_BENCH_DNS	   /* queries over UDP, one as the other */
};

struct kd_bench_source {
	uint32_t flows;
	bool v6;
	enum kd_bench_app app;
	const uint8_t *answers_from; /* the outside sends from that IPv4 address; NULL: from each flow's */
	uint32_t frame_len;	     /* asked for */
	struct kd_bench_load load;
	uint8_t *memory;
	uint8_t *frame[KD_BENCH_FRAMES]; /* in shuffled order: no prefetcher knows the next */
	uint64_t *touched;		 /* one bit a flow */
	uint64_t random;
	uint8_t hello[KD_BENCH_HELLO_MAX];
	uint32_t hello_len;
	uint8_t plain[128];
};

/* frame_len: of every frame but the hellos; raised to what the headers and 4 bytes of payload need;
 * 0: there is no load, only hellos are made. */
int kd_bench_source_init(struct kd_bench_source *s, uint32_t flows, bool v6, uint32_t frame_len,
	const char *name, uint64_t seed);
void kd_bench_source_free(struct kd_bench_source *s);
/* From here on flows speak that, and their hellos or queries say that name; _init has them speak TLS. */
void kd_bench_speak(struct kd_bench_source *s, enum kd_bench_app app, const char *name);
/* The frame with which flow `index` begins, into buf (KD_BENCH_HELLO_MAX); its length. */
uint32_t kd_bench_hello(const struct kd_bench_source *s, uint32_t index, uint8_t *buf);
/* Any later frame of that flow, likewise. */
uint32_t kd_bench_plain(const struct kd_bench_source *s, uint32_t index, unsigned int from, uint8_t *buf);
/* Fills the load: every packet's flow drawn uniformly from all; marks the flows when `touch`. */
void kd_bench_draw(struct kd_bench_source *s, bool touch);
uint32_t kd_bench_distinct(const struct kd_bench_source *s);

/* --- bench_machine.c
 * ---------------------------------------------------------------------------------------------- */

struct kd_bench_machine {
	char cpu[96], kernel[96], governor[32], pages[32], load[32], testpmd[160];
	unsigned int pinned; /* the CPU this runs on */
	bool hypervisor;
	uint64_t tsc_hz;
};

/* Pins this thread to the last CPU it may use, and looks around; takes a tenth of a second. */
void kd_bench_machine(struct kd_bench_machine *m);
void kd_bench_machine_print(const struct kd_bench_machine *m);
void kd_bench_machine_json(const struct kd_bench_machine *m, struct kd_json *j);
/* testpmd's own figure for io over the same ports, picoseconds a packet; 0 when it is not installed or fails.
 */
uint64_t kd_bench_testpmd(struct kd_bench_machine *m);

/* --- bench_engine.c
 * ----------------------------------------------------------------------------------------------- */

#define KD_BENCH_START_NS                                                                                    \
	1647766800000000000ull /* 2022-03-20: the day does not matter, the flows' idle time does */

/* An engine, and the packets that it gets. */
struct kd_bench_run {
	struct kd_engine *engine;
	struct kd_bench_source *source;
	struct kd_bench_clock clock;
	uint64_t number;
	struct kd_action actions[KD_OUT_ROOM(KD_BENCH_BURST)];
};

void kd_bench_start(struct kd_bench_run *r, struct kd_bench_source *source, uint64_t tsc_hz);
/* Every flow begins with a hello, which decides it; then each end sends so many packets. */
void kd_bench_open_flows(struct kd_bench_run *r, unsigned int answers);
/* The load through the engine; ticks. What it holds back leaves behind that. */
uint64_t kd_bench_from_memory(struct kd_bench_run *r);
/* Throws its records away. */
void kd_bench_drain(struct kd_bench_run *r);

/* --- bench_figures.c
 * ---------------------------------------------------------------------------------------------- */

#define KD_BENCH_PAIRS_MAX 99
#define KD_BENCH_PAIRS_WORTH 7 /* from here on a median says something */
#define KD_BENCH_TOUCHED_MIN_PERMILLE 950

struct kd_bench_spread {
	double median, min, max;
};

struct kd_bench_spread kd_bench_spread(const double *v, unsigned int n);
uint64_t kd_bench_monotonic_ns(void);
/* Complains that what was measured is not what is told; an exit code. */
int kd_bench_internal(const char *what);
/* Thousandths: of a nanosecond, or of one. */
void kd_bench_json_spread(struct kd_json *j, const char *key, const struct kd_bench_spread *s);
/* Writes a finished document to a file, or with "-" to stdout; 0 or an exit code, already complained about.
 */
int kd_bench_json(const struct kd_json *j, const char *path);

/* --- bench_throughput.c
 * ------------------------------------------------------------------------------------------- */

/* What is asked of a measurement of packets. */
struct kd_bench_packets {
	const struct kd_args *args; /* seed and what more kd_cmd_policy reads */
	const char *profile, *name; /* throughput: and of a server */
	const char *json;	    /* NULL = text only */
	uint32_t flows, size, pairs;
	uint64_t seconds; /* a row */
	bool testpmd;
};

/* Measures and prints; an exit code. */
int kd_bench_throughput(const struct kd_bench_packets *what);

/* --- bench_mechanisms.c, bench_recipes.c
 * -------------------------------------------------------------------------- */

#define KD_BENCH_REASONS 4

/* How a mechanism gets hold of flows, and what it then says of their packets. One mechanism may have
 * several. */
struct kd_bench_recipe {
	const char *mechanism;
	const char *what; /* it is doing */
	const char *then; /* its settings, as in a rule */
	enum kd_bench_app app;
	const uint8_t *answers_from;	       /* of what is held; as the source's */
	const char *reasons[KD_BENCH_REASONS]; /* of every packet measured, one of these */
};

/* Ends with one without a mechanism. */
extern const struct kd_bench_recipe kd_bench_recipes[];
bool kd_bench_has_recipe(const char *mechanism);

/* Measures and prints; an exit code. */
int kd_bench_mechanisms(const struct kd_bench_packets *what);

/* --- bench_micro.c
 * ------------------------------------------------------------------------------------------------ */

struct kd_bench_micro {
	struct kd_bench_machine machine;
	uint32_t names, prefixes, literals; /* literals 0: without the opponent */
	const char *json;		    /* NULL = text only */
};

/* Measures and prints; an exit code. */
int kd_bench_micro(const struct kd_bench_micro *what);

/* --- bench_memory.c
 * ------------------------------------------------------------------------------------------------ */

struct kd_bench_memory {
	const struct kd_policy *policy;
	const char *name; /* of a server; a rule of the policy drops hellos with it */
	uint64_t seed;
	uint32_t flows;	    /* half-open ones, twice the table's */
	uint32_t fragments; /* more than KD_HELD_MAX */
	uint32_t hellos;    /* halves of them */
	uint32_t gathers;   /* that there is room for */
	const char *json;
};

/* Measures and prints; an exit code. */
int kd_bench_memory(const struct kd_bench_memory *what);

#endif
