/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In a build without DPDK: `run` says what it is missing. Everything else of kordon works.
 */
#include "drivers/dpdk/live.h"

#include <stdio.h>

int kd_live_run(const struct kd_live *live)
{
	(void)live;
	fputs("kordon: this build has no DPDK and forwards nothing: install libdpdk-dev and dpdk, then build "
	      "again\n",
		stderr);
	return 5;
}
