/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In a build without DPDK there are no ports to measure against: `bench` says so and times the engine alone.
 */
#include "drivers/dpdk/bench.h"

#include <stddef.h>

int kd_bench_ports_open(struct kd_bench_ports **ret, unsigned int verbose)
{
	(void)verbose;
	*ret = NULL;
	return 0;
}

void kd_bench_ports_close(struct kd_bench_ports *p)
{
	(void)p;
}

uint64_t kd_bench_ports_run(struct kd_bench_ports *p, enum kd_bench_loop loop,
	const struct kd_bench_load *load, struct kd_engine *engine, struct kd_bench_clock *clock)
{
	(void)p;
	(void)loop;
	(void)load;
	(void)engine;
	(void)clock;
	return 0;
}

const char *kd_bench_dpdk_version(void)
{
	return NULL;
}
