/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the lab's prefixes; what is lab space is the guard's to say, how to tell a person is decided here. */
#include "drivers/lab_nets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One "ADDRESS/BITS" into the guard; -EINVAL when it is not one, else what kd_guard_add says. */
static int add_net(struct kd_guard *g, const char *text)
{
	bool v6 = strchr(text, ':') != NULL;
	const char *slash = strchr(text, '/');
	char addr[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	unsigned long bits;
	char *end;

	if (slash == NULL || (size_t)(slash - text) >= sizeof(addr) || slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	bits = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || bits > 128 || inet_pton(v6 ? AF_INET6 : AF_INET, addr, bytes) != 1)
		return -EINVAL;
	return kd_guard_add(g, v6, bytes, (unsigned int)bits);
}

static void explain(int err, const char *text, char *why, size_t room)
{
	if (err == -EDOM)
		snprintf(why, room, "\"%s\" has bits behind its prefix length", text);
	else if (err == -EPERM)
		snprintf(why, room,
			"\"%s\" is not lab space; allowed are private (10/8, 172.16/12, 192.168/16), "
			"documentation, "
			"benchmarking (198.18/15), unique-local and link-local prefixes",
			text);
	else if (err == -ENOSPC)
		snprintf(why, room, "more than %d networks", KD_GUARD_NETS_MAX);
	else
		snprintf(why, room, "\"%s\" is not a network; expected ADDRESS/BITS, e.g. 198.18.0.0/15",
			text);
}

int kd_lab_nets(struct kd_guard **ret, const char *nets, char *why, size_t room)
{
	char *list = strdup(nets), *save = NULL;
	struct kd_guard *g = NULL;
	unsigned int n = 0;
	int err = list != NULL ? kd_guard_new(&g) : -ENOMEM;

	for (char *t = err == 0 ? strtok_r(list, ",", &save) : NULL; t != NULL;
		t = strtok_r(NULL, ",", &save)) {
		n++;
		err = add_net(g, t);
		if (err < 0) {
			explain(err, t, why, room);
			err = -EINVAL;
			break;
		}
	}
	if (err == 0 && n == 0) {
		snprintf(why, room, "no network given; expected e.g. 198.18.0.0/15,2001:db8::/32");
		err = -EINVAL;
	}
	free(list);
	if (err < 0) {
		kd_guard_free(g);
		return err;
	}
	*ret = g;
	return 0;
}
