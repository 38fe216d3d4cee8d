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
#include "report/json.h"

/* --- bench_load.c: packets of N flows
 * ----------------------------------------------------------------------------- */

/* Frames of one load. Twice the 32k of the method: far more lines than an L2 holds when their turn comes. */
#define KD_BENCH_FRAMES 65536
/* Apart like DPDK's buffers, and an odd number of lines, so that all sets of a cache are used alike. */
#define KD_BENCH_STRIDE 2240
#define KD_BENCH_HELLO_MAX 512

struct kd_bench_source {
	uint32_t flows;
	bool v6;
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
/* The frame with which flow `index` begins, into buf (KD_BENCH_HELLO_MAX); its length. */
uint32_t kd_bench_hello(const struct kd_bench_source *s, uint32_t index, uint8_t *buf);
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

/* --- bench.c
 * ------------------------------------------------------------------------------------------------------ */

/* Writes a finished document to a file, or with "-" to stdout; 0 or an exit code, already complained about.
 */
int kd_bench_json(const struct kd_json *j, const char *path);

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
