/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a figure is worth nothing without: the processor, the compiler and its flags, the libraries, what else
 * was going on. And testpmd's own figure, as a reference beside the one measured in this process.
 */
#include "cmd/bench.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include <hs.h>

#include "kd_version.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

#define NS 1000000000ull

static void first_line(const char *path, char *buf, size_t room, const char *otherwise)
{
	FILE *f = fopen(path, "r");

	if (f == NULL || fgets(buf, (int)room, f) == NULL)
		snprintf(buf, room, "%s", otherwise);
	buf[strcspn(buf, "\n")] = '\0';
	if (f != NULL)
		fclose(f);
}

static void read_cpuinfo(struct kd_bench_machine *m)
{
	FILE *f = fopen("/proc/cpuinfo", "r");
	char line[4096];

	snprintf(m->cpu, sizeof(m->cpu), "unknown");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		const char *value = strchr(line, ':');

		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "model name", 10) == 0 && value != NULL && value[1] != '\0')
			snprintf(m->cpu, sizeof(m->cpu), "%.90s", value + 2);
		if (strncmp(line, "flags", 5) == 0)
			m->hypervisor = strstr(line, " hypervisor") != NULL;
	}
	if (f != NULL)
		fclose(f);
}

static void pin(struct kd_bench_machine *m)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return;
	for (int i = 0; i < CPU_SETSIZE; i++)
		if (CPU_ISSET(i, &set))
			m->pinned = (unsigned int)i;
	CPU_ZERO(&set);
	CPU_SET(m->pinned, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static uint64_t monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static uint64_t tsc_hz(void)
{
	uint64_t ns = monotonic_ns(), ticks = __rdtsc();

	while (monotonic_ns() - ns < NS / 10)
		;
	ticks = __rdtsc() - ticks;
	ns = monotonic_ns() - ns;
	return (uint64_t)((unsigned __int128)ticks * NS / ns);
}

void kd_bench_machine(struct kd_bench_machine *m)
{
	struct utsname u;
	char path[96], thp[96], *open;

	memset(m, 0, sizeof(*m));
	pin(m);
	read_cpuinfo(m);
	if (uname(&u) == 0)
		snprintf(m->kernel, sizeof(m->kernel), "%.20s %.70s", u.sysname, u.release);
	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", m->pinned);
	first_line(path, m->governor, sizeof(m->governor), "not readable");
	first_line("/sys/kernel/mm/transparent_hugepage/enabled", thp, sizeof(thp), "[not readable]");
	open = strchr(thp, '[');
	snprintf(m->pages, sizeof(m->pages), "%.*s", open != NULL ? (int)strcspn(open + 1, "]") : 0,
		open != NULL ? open + 1 : "");
	first_line("/proc/loadavg", m->load, sizeof(m->load), "not readable");
	m->load[strcspn(m->load, " ")] = '\0';
	m->tsc_hz = tsc_hz();
}

void kd_bench_machine_print(const struct kd_bench_machine *m)
{
	const char *dpdk = kd_bench_dpdk_version();

	printf("machine  %s%s, CPU %u, TSC %lu MHz, governor %s, transparent huge pages %s, load %s, %s\n",
		m->cpu, m->hypervisor ? " (virtual)" : "", m->pinned, (unsigned long)(m->tsc_hz / 1000000),
		m->governor, m->pages, m->load, m->kernel);
	printf("build    kordon %s, %s, %s; %s, Hyperscan %s\n", KD_VERSION, COMPILER, KD_BUILD,
		dpdk != NULL ? dpdk : "no DPDK", hs_version());
	if (m->testpmd[0] != '\0')
		printf("testpmd  %s\n", m->testpmd);
}

void kd_bench_machine_json(const struct kd_bench_machine *m, struct kd_json *j)
{
	const char *dpdk = kd_bench_dpdk_version();

	kd_json_open(j, "machine", '{');
	kd_json_str(j, "cpu", m->cpu);
	kd_json_bool(j, "virtual", m->hypervisor);
	kd_json_u64(j, "pinned", m->pinned);
	kd_json_u64(j, "tsc_hz", m->tsc_hz);
	kd_json_str(j, "governor", m->governor);
	kd_json_str(j, "transparent_huge_pages", m->pages);
	kd_json_str(j, "load", m->load);
	kd_json_str(j, "kernel", m->kernel);
	kd_json_str(j, "kordon", KD_VERSION);
	kd_json_str(j, "compiler", COMPILER);
	kd_json_str(j, "build", KD_BUILD);
	kd_json_str(j, "dpdk", dpdk != NULL ? dpdk : "");
	kd_json_str(j, "hyperscan", hs_version());
	kd_json_close(j, '}');
}

/* Its last words are "CPU cycles/packet=35.87 (total cycles=...". */
uint64_t kd_bench_testpmd(struct kd_bench_machine *m)
{
	static const char command[] =
		"command -v dpdk-testpmd >/dev/null && { sleep 2; echo; } | timeout 20 dpdk-testpmd --lcores "
		"'0,1' --no-huge --no-shconf --no-pci --no-telemetry -m 256 --vdev net_null0,size=64 --vdev "
		"net_null1,size=64 -- --total-num-mbufs=16384 --forward-mode=io --auto-start "
		"--record-core-cycles 2>/dev/null";
	FILE *said = popen(command, "r");
	char line[512];
	double cycles = 0;

	while (said != NULL && fgets(line, sizeof(line), said) != NULL) {
		const char *at = strstr(line, "CPU cycles/packet=");

		if (at != NULL && sscanf(at + 18, "%lf", &cycles) == 1)
			snprintf(m->testpmd, sizeof(m->testpmd),
				"%.1f cycles/packet by its own count (busy bursts only), %.1f ns; io over "
				"the same "
				"ports, run once before",
				cycles, cycles * 1e9 / (double)m->tsc_hz);
	}
	if (said != NULL)
		pclose(said);
	return (uint64_t)(cycles * 1e12 / (double)m->tsc_hz);
}
