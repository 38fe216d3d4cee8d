/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon run: the engine live between two ports. Reads its options and the lab's networks; ports, threads and
 * buffers are the live driver's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "drivers/dpdk/live.h"
#include "drivers/lab_nets.h"
#include "rulebook/units.h"

enum row {
	INSIDE_PORT,
	OUTSIDE_PORT,
	VIRTUAL,
	LAB_NET,
	EVENTS,
	CAPTURE,
	WORKERS,
	DELAY,
	HOPS,
	IDLE_SLEEP,
	SECONDS,
	READY_FILE,
	STATS
};

#define DELAY_MAX_NS 1000000000u
#define IDLE_SLEEP_US 50

static const struct kd_cmd_option options[] = {
	[INSIDE_PORT] = {"inside-port", 0, "DEV",
		"the subscriber's side: net_tap0,iface=x, 0000:01:00.0, ..."},
	[OUTSIDE_PORT] = {"outside-port", 0, "DEV", "the internet's side"},
	[VIRTUAL] = {"virtual", 0, NULL, "two tap devices, kdi (inside) and kdo (outside)"},
	[LAB_NET] = {"lab-net", 0, "CIDR[,..]", "the lab's networks; required"},
	[EVENTS] = {"events", 'e', "FILE", "events as JSON lines, - = standard output"},
	[CAPTURE] = {"capture", 0, "FILE", "pcapng of both ports' ingress, as the engine got it"},
	[WORKERS] = {"workers", 0, "N", "engines, each on a core of its own (default 1)"},
	[DELAY] = {"delay", 0, "TIME", "one way, on the outside port: \"18 ms\" (default 0 ms)"},
	[HOPS] = {"hops", 0, "N",
		"routers from the box to the servers; the capture tells its replay (default: not known)"},
	[IDLE_SLEEP] = {"idle-sleep-us", 0, "N",
		"sleep when nothing came, virtual ports only; 0 = never (default 50)"},
	[SECONDS] = {"seconds", 0, "N", "stop by itself (default: at SIGINT or SIGTERM)"},
	[READY_FILE] = {"ready-file", 0, "FILE", "made when both ports forward, gone at the end"},
	[STATS] = {"stats", 0, "SOCKET", "where 'kordon stats' finds this run"},
	{NULL, 0, NULL, NULL},
};

static int number(const struct kd_args *args, enum row row, uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *text = args->value[row];
	unsigned long long v;
	char *end;

	if (text == NULL)
		return 0;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || v < min || v > max)
		return kd_usage_error(args, "--%s \"%s\": expected a number from %llu to %llu",
			options[row].name, text, (unsigned long long)min, (unsigned long long)max);
	*ret = v;
	return 0;
}

static int read_ports(const struct kd_args *args, struct kd_live *live)
{
	bool ports = args->value[INSIDE_PORT] != NULL || args->value[OUTSIDE_PORT] != NULL;

	if (args->value[VIRTUAL] != NULL) {
		if (ports)
			return kd_usage_error(
				args, "--virtual is instead of --inside-port and --outside-port");
		live->port[KD_INSIDE] = "net_tap0,iface=kdi";
		live->port[KD_OUTSIDE] = "net_tap1,iface=kdo";
		return 0;
	}
	live->port[KD_INSIDE] = args->value[INSIDE_PORT];
	live->port[KD_OUTSIDE] = args->value[OUTSIDE_PORT];
	if (live->port[KD_INSIDE] == NULL || live->port[KD_OUTSIDE] == NULL)
		return kd_usage_error(args, "--inside-port and --outside-port are needed, or --virtual");
	return 0;
}

static int read_delay(const struct kd_args *args, struct kd_live *live)
{
	const char *text = args->value[DELAY];
	struct kd_fault fault;
	struct kd_number n;

	if (text == NULL)
		return 0;
	if (kd_units_parse(&n, KD_UNIT_DURATION, text, strlen(text), &fault) < 0 || n.value > DELAY_MAX_NS)
		return kd_usage_error(
			args, "--delay \"%s\": expected a time up to 1 s, e.g. \"18 ms\"", text);
	live->delay_ns = n.value;
	return 0;
}

/* EAL would print its own help and end the process, in silence. */
static int refuse_help(const struct kd_args *args)
{
	static const char *const words[] = {"-h", "--help", "-v", "--version"};

	for (unsigned int i = 0; i < args->noperands; i++)
		for (unsigned int k = 0; k < sizeof(words) / sizeof(words[0]); k++)
			if (strcmp(args->operands[i], words[k]) == 0)
				return kd_usage_error(
					args, "%s behind --: DPDK's options are in its manual", words[k]);
	return 0;
}

static int read_options(const struct kd_args *args, struct kd_live *live)
{
	uint64_t workers = 1, sleep_us = IDLE_SLEEP_US, hops = 0;
	int rc;

	*live = (struct kd_live){.seed = args->seed,
		.lab_nets = args->value[LAB_NET],
		.events = args->value[EVENTS],
		.capture = args->value[CAPTURE],
		.stats_socket = args->value[STATS],
		.ready_file = args->value[READY_FILE],
		.verbose = args->verbose,
		.quiet = args->quiet,
		.eal_args = args->operands};
	rc = refuse_help(args);
	if (rc != 0)
		return rc;
	if (args->noperands > 0 && args->operands[0][0] != '-')
		return kd_usage_error(
			args, "\"%s\": only options of EAL may stand behind --", args->operands[0]);
	rc = read_ports(args, live);
	if (rc == 0)
		rc = number(args, WORKERS, 1, 16, &workers);
	if (rc == 0)
		rc = number(args, HOPS, 0, UINT8_MAX, &hops);
	if (rc == 0)
		rc = number(args, IDLE_SLEEP, 0, 100000, &sleep_us);
	if (rc == 0)
		rc = number(args, SECONDS, 1, 31536000, &live->seconds);
	if (rc == 0)
		rc = read_delay(args, live);
	live->workers = (unsigned int)workers;
	live->hops = (uint8_t)hops;
	live->idle_sleep_us = (uint32_t)sleep_us;
	return rc;
}

static int read_lab(const struct kd_args *args, struct kd_guard **ret)
{
	const char *nets = args->value[LAB_NET];
	char why[256];
	int rc;

	if (nets == NULL)
		return kd_usage_error(args, "--lab-net is missing: the networks of this lab, e.g. "
					    "198.18.0.0/15,203.0.113.0/24; private, "
					    "documentation, benchmarking, unique-local and link-local ones "
					    "are allowed, nothing else is touched");
	rc = kd_lab_nets(ret, nets, why, sizeof(why));
	if (rc == 0)
		return 0;
	if (rc == -EINVAL)
		return kd_usage_error(args, "--lab-net: %s", why);
	kd_complain("out of memory");
	return KD_EXIT_ENVIRONMENT;
}

/* Workers share nothing, and packets go to them by the inside address: what is counted without it would be
 * counted in pieces. */
static int countable(const struct kd_args *args, const struct kd_policy *policy, unsigned int workers)
{
	for (uint32_t i = 0; i < policy->ncounters && workers > 1; i++) {
		const struct kd_counter *c = &policy->counters[i];

		if ((c->keys & (KD_KEY_CLIENT | KD_KEY_SUBSCRIBER | KD_KEY_FLOW)) == 0)
			return kd_usage_error(args,
				"--workers %u: rule \"%s\" counts across clients, whom workers share out; "
				"use one "
				"worker",
				workers, policy->rules[c->rule].id);
	}
	return 0;
}

static int run(const struct kd_args *args)
{
	struct kd_guard *guard = NULL;
	struct kd_policy *policy = NULL;
	struct kd_live live;
	int rc;

	rc = read_options(args, &live);
	if (rc == 0)
		rc = read_lab(args, &guard);
	if (rc == 0)
		rc = kd_cmd_policy(&policy, args);
	if (rc == 0)
		rc = countable(args, policy, live.workers);
	if (rc == 0) {
		live.policy = policy;
		live.guard = guard;
		rc = kd_live_run(&live);
	}
	kd_policy_free(policy);
	kd_guard_free(guard);
	return rc;
}

const struct kd_command kd_command_run = {
	.name = "run",
	.summary = "live between two ports of a lab",
	.usage = "run -p PROFILE --inside-port DEV --outside-port DEV --lab-net CIDR[,..] [-- EAL...]",
	.text = "Forwards between two DPDK ports and does to the lab's flows what the profile's box would. A "
		"port is a\n"
		"PCI address or a virtual device: net_tap0,iface=NAME makes a tap device; "
		"net_af_packet0,iface=NAME and\n"
		"net_af_xdp0,iface=NAME take an existing one (af_packet loses IP fragments). Huge pages are "
		"used when\n"
		"enough are free.\n\n"
		"Only flows with both ends in --lab-net are acted on; everything else is forwarded untouched "
		"and counted.\n\n"
		"--capture replays to the same events: kordon replay -p PROFILE --seed N FILE.",
	.options = options,
	.takes_profile = true,
	.keeps_time = true,
	.run = run,
};
