/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The live driver: an engine (or several, sharded by the inside address) between two DPDK ports. It owns
 * ports, cores, buffers and the clock; the engine owns nothing of these. One thread formats events, counts
 * and writes the ingress capture; between rx and tx a worker makes no system call, takes no lock and
 * allocates nothing.
 */
#ifndef KD_LIVE_H
#define KD_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/guard.h"
#include "rulebook/policy.h"

struct kd_live {
	const struct kd_policy *policy;
	uint64_t seed;
	struct kd_guard *guard;
	uint8_t hops; /* routers from the box to the servers, for the capture's replay; 0 = not known */
	const char *lab_nets; /* the text that made the guard: a capture carries it to its replay */
	const char *port[2]; /* by enum kd_side: "net_tap0,iface=kdi", "net_af_packet0,iface=x", a PCI address
				... */
	const char *events;  /* file, "-" = stdout, NULL = none */
	const char *capture; /* pcapng of both ports' ingress as the engine got it, or NULL */
	const char *stats_socket; /* UNIX socket path for `kordon stats`, or NULL */
	const char *ready_file;	  /* created when both ports forward, or NULL */
	unsigned int workers;	  /* 1 or more */
	uint64_t delay_ns; /* one way, on the outside port: after the engine's emit and before its rx; 0 =
			      none */
	uint32_t idle_sleep_us; /* on virtual ports when nothing came; 0 = busy */
	uint64_t seconds;	/* 0 = until SIGINT or SIGTERM */
	unsigned int verbose;
	bool quiet;	 /* no summary at the end */
	char **eal_args; /* behind "--"; NULL-terminated, may be NULL */
};

/* Runs until told to stop; returns an enum kd_exit. Everything people should know goes to stderr. */
int kd_live_run(const struct kd_live *live);

#endif
