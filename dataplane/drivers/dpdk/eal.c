/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must be there before DPDK starts, said in one line when it is not, and the start itself: memory by
 * what the machine has, one CPU set for all threads on virtual ports, nothing left behind in the file system.
 * DPDK's own words are kept back unless asked for. Opens no port.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include "drivers/dpdk/parts.h"

#define ARGS_MAX 96
#define MB (1024u * 1024)
#define NO_HUGE_MB_MIN 256 /* what EAL itself wants, and a small pool */

/* --- ports before they exist
 * -------------------------------------------------------------------------------------- */

bool kd_port_is_pci(const char *port)
{
	unsigned int a, b, c, d;

	return sscanf(port, "%4x:%2x:%2x.%1u", &a, &b, &c, &d) == 4 ||
	       sscanf(port, "%2x:%2x.%1u", &a, &b, &c) == 3;
}

/* The value of key= among a device's arguments; "" when there is none. */
static void device_arg(const char *port, const char *key, char *buf, size_t room)
{
	char pattern[32];
	const char *at;

	snprintf(pattern, sizeof(pattern), ",%s=", key);
	at = strstr(port, pattern);
	buf[0] = '\0';
	if (at != NULL) {
		at += strlen(pattern);
		snprintf(buf, room, "%.*s", (int)strcspn(at, ","), at);
	}
}

/* Makes the device for a moment: the only honest way to know. */
static int try_tap(const char *port)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	char name[64];
	int fd, error = 0;

	device_arg(port, "iface", name, sizeof(name));
	if (strlen(name) >= IFNAMSIZ)
		return kd_live_say(
			"port %s: \"%s\" is too long for an interface; 15 characters fit", port, name);
	if (name[0] != '\0' && if_nametoindex(name) != 0)
		return kd_live_say(
			"port %s: an interface \"%s\" exists already; choose another name or remove it: "
			"ip link delete %s",
			port, name, name);
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return kd_live_say("port %s: /dev/net/tun: %s; %s", port, strerror(errno),
			errno == EACCES || errno == EPERM ? "run as root, or in a container that may open it"
							  : "load it: modprobe tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		error = errno;
	close(fd);
	if (error == EPERM)
		return kd_live_say("port %s: no privilege to make tap devices (CAP_NET_ADMIN); run as root, "
				   "or in a user "
				   "namespace of your own: unshare -Urn kordon run ...",
			port);
	if (error != 0)
		return kd_live_say("port %s: cannot make a tap device: %s", port, strerror(error));
	return 0;
}

static int try_interface(const char *port)
{
	char name[64];
	int fd;

	device_arg(port, "iface", name, sizeof(name));
	if (name[0] == '\0')
		return kd_live_say("port %s: iface=NAME is missing", port);
	if (if_nametoindex(name) == 0)
		return kd_live_say("port %s: there is no interface \"%s\" in this network namespace; 'ip "
				   "link' lists them",
			port, name);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return kd_live_say("port %s: no privilege for packet sockets (CAP_NET_RAW): %s; run as root",
			port, strerror(errno));
	close(fd);
	return 0;
}

static int try_pci(const char *port)
{
	char address[32], path[96], target[256];
	ssize_t n;

	snprintf(address, sizeof(address), "%s%.*s", strlen(port) < 12 || port[4] != ':' ? "0000:" : "",
		(int)strcspn(port, ","), port);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", address);
	if (access(path, F_OK) != 0)
		return kd_live_say("port %s: no such PCI device; 'lspci -D' lists them", port);
	strcat(path, "/driver");
	n = readlink(path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	if (strstr(target, "vfio-pci") == NULL && strstr(target, "uio") == NULL &&
		strstr(target, "mlx") == NULL)
		return kd_live_say(
			"port %s: not bound to a driver that DPDK can use; dpdk-devbind.py -b vfio-pci %s",
			port, address);
	return 0;
}

int kd_eal_preflight(const struct kd_live *live)
{
	for (unsigned int side = 0; side < 2; side++) {
		const char *port = live->port[side];
		int rc = 0;

		if (strncmp(port, "net_tap", 7) == 0)
			rc = try_tap(port);
		else if (strncmp(port, "net_af_packet", 13) == 0 || strncmp(port, "net_af_xdp", 10) == 0)
			rc = try_interface(port);
		else if (kd_port_is_pci(port))
			rc = try_pci(port);
		else if (strncmp(port, "net_", 4) != 0)
			rc = kd_live_say("port \"%s\": neither a PCI address nor a virtual device; e.g. "
					 "net_tap0,iface=kdi, net_af_packet0,iface=eth1 or 0000:01:00.0",
				port);
		if (rc != 0)
			return rc;
	}
	if (strcspn(live->port[0], ",") == strcspn(live->port[1], ",") &&
		strncmp(live->port[0], live->port[1], strcspn(live->port[0], ",")) == 0)
		return kd_live_say("both ports are called \"%.*s\"; number them: net_tap0, net_tap1",
			(int)strcspn(live->port[0], ","), live->port[0]);
	return 0;
}

/* --- DPDK's own words
 * --------------------------------------------------------------------------------------------- */

void kd_eal_hush(struct kd_hush *h, const struct kd_live *live)
{
	h->file = -1;
	rte_openlog_stream(stderr); /* else DPDK also writes to syslog */
	if (live->verbose > 0)
		return;
	fflush(stdout);
	fflush(stderr);
	h->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	h->err = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (h->out >= 0 && h->err >= 0)
		h->file = memfd_create("dpdk", MFD_CLOEXEC);
	if (h->file < 0) {
		close(h->out);
		close(h->err);
		return;
	}
	dup2(h->file, STDOUT_FILENO);
	dup2(h->file, STDERR_FILENO);
}

static bool telling(const char *line)
{
	static const char *const words[] = {
		"cannot", "could not", "can not", "fail", "unable", "invalid", "error", "not ", "no "};

	for (unsigned int i = 0; i < RTE_DIM(words); i++)
		if (strcasestr(line, words[i]) != NULL)
			return true;
	return false;
}

void kd_eal_unhush(struct kd_hush *h, char *buf, size_t room)
{
	char line[512];
	FILE *said;

	buf[0] = '\0';
	if (h->file < 0)
		return;
	fflush(stdout);
	fflush(stderr);
	dup2(h->out, STDOUT_FILENO);
	dup2(h->err, STDERR_FILENO);
	close(h->out);
	close(h->err);
	lseek(h->file, 0, SEEK_SET);
	said = fdopen(h->file, "r");
	if (said == NULL) {
		close(h->file);
		return;
	}
	while (fgets(line, sizeof(line), said) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0' && (telling(line) || buf[0] == '\0'))
			snprintf(buf, room, "%s", line);
	}
	fclose(said);
}

/* --- the start
 * ---------------------------------------------------------------------------------------------------- */

struct words {
	char *word[ARGS_MAX + 1];
	int n;
};

static void add(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *w, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (w->n < ARGS_MAX && vasprintf(&w->word[w->n], format, ap) >= 0)
		w->n++;
	va_end(ap);
}

/* Whether the user's own words hold one of these options. */
static bool given(const struct kd_live *live, const char *const *names)
{
	for (char **word = live->eal_args; word != NULL && *word != NULL; word++)
		for (const char *const *name = names; *name != NULL; name++)
			if (strncmp(*word, *name, strlen(*name)) == 0)
				return true;
	return false;
}

static size_t free_hugepages(void)
{
	static const struct {
		const char *path;
		size_t bytes;
	} kinds[] = {
		{"/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", 2u * MB},
		{"/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", 1024u * MB},
	};
	size_t total = 0;

	for (unsigned int i = 0; i < RTE_DIM(kinds); i++) {
		FILE *f = fopen(kinds[i].path, "r");
		unsigned long n = 0;

		if (f == NULL)
			continue;
		if (fscanf(f, "%lu", &n) == 1)
			total += n * kinds[i].bytes;
		fclose(f);
	}
	return total;
}

static void add_memory(struct words *w, const struct kd_live *live, size_t need)
{
	static const char *const own[] = {
		"--in-memory", "--no-huge", "--huge-dir", "-m", "--socket-mem", NULL};
	static const char *const shared[] = {
		"--in-memory", "--no-shconf", "--file-prefix", "--proc-type", "--huge-dir", NULL};
	size_t mb = need / MB + 64;

	if (given(live, own)) {
		/* Whatever memory it is, nothing is shared with other runs or left in the file system. */
		if (!given(live, shared))
			add(w, "--no-shconf");
		return;
	}
	if (free_hugepages() >= need + 32u * MB) {
		add(w, "--in-memory");
		return;
	}
	add(w, "--no-huge");
	add(w, "--no-shconf");
	add(w, "-m");
	add(w, "%zu", mb < NO_HUGE_MB_MIN ? NO_HUGE_MB_MIN : mb);
}

/* Virtual ports share the CPUs with the hosts at their ends: the scheduler knows best. A worker on a NIC gets
 * its own. */
static void add_cores(struct words *w, const struct kd_live *live, unsigned int lcores)
{
	static const char *const own[] = {"-l", "-c", "--lcores", NULL};
	bool pinned = kd_port_is_pci(live->port[0]) || kd_port_is_pci(live->port[1]);
	char cpus[2048] = "", map[4096] = "";
	int cpu[CPU_SETSIZE];
	unsigned int n = 0;
	cpu_set_t set;

	if (given(live, own) || sched_getaffinity(0, sizeof(set), &set) != 0)
		return;
	for (int i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &set) || strlen(cpus) > sizeof(cpus) - 8)
			continue;
		cpu[n++] = i;
		snprintf(cpus + strlen(cpus), sizeof(cpus) - strlen(cpus), "%s%d", n > 1 ? "," : "", i);
	}
	for (unsigned int i = 0; i < lcores; i++) {
		size_t at = strlen(map);

		if (pinned && lcores <= n)
			snprintf(map + at, sizeof(map) - at, "%s%u@%d", i > 0 ? "," : "", i, cpu[i]);
		else
			snprintf(map + at, sizeof(map) - at, "%s%u@(%s)", i > 0 ? "," : "", i, cpus);
	}
	add(w, "--lcores");
	add(w, "%s", map);
}

static void add_ports(struct words *w, const struct kd_live *live)
{
	static const char *const own[] = {"-a", "--allow", "-b", "--block", "--no-pci", NULL};
	bool pci = false;

	for (unsigned int side = 0; side < 2; side++)
		if (kd_port_is_pci(live->port[side])) {
			add(w, "-a");
			add(w, "%s", live->port[side]);
			pci = true;
		}
	if (!pci && !given(live, own))
		add(w, "--no-pci");
}

int kd_eal_start(const struct kd_live *live, size_t memory_need, unsigned int lcores)
{
	struct words w = {.n = 0};
	char *words[ARGS_MAX + 1]; /* EAL reorders what it is given */
	char why[512];
	struct kd_hush hush;
	int rc, error;

	add(&w, "kordon");
	add(&w, "--no-telemetry");
	add_ports(&w, live);
	add_memory(&w, live, memory_need);
	add_cores(&w, live, lcores);
	for (char **word = live->eal_args; word != NULL && *word != NULL; word++)
		add(&w, "%s", *word);
	memcpy(words, w.word, sizeof(words));
	if (live->verbose > 0) {
		fputs("kordon: EAL:", stderr);
		for (int i = 1; i < w.n; i++)
			fprintf(stderr, " %s", w.word[i]);
		fputc('\n', stderr);
	}
	kd_eal_hush(&hush, live);
	rc = rte_eal_init(w.n, words);
	error = rte_errno;
	kd_eal_unhush(&hush, why, sizeof(why));
	while (w.n > 0)
		free(w.word[--w.n]);
	if (rc >= 0)
		return 0;
	return kd_live_say("DPDK did not start: %s%s%s; -v shows all it says", rte_strerror(error),
		why[0] != '\0' ? ": " : "", why);
}
