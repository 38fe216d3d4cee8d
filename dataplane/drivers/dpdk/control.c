/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket behind `kordon stats`: who connects gets one document, lines of "group name value", and the end
 * of the stream. Asks the workers for their counters and waits a little for the answer; reads nothing from
 * the client.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "drivers/dpdk/parts.h"

#define ANSWER_TRIES 200 /* of 1 ms: a worker may sleep, or share its CPU */

int kd_control_open(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, probe;

	if (strlen(path) >= sizeof(a.sun_path))
		return -kd_live_say(
			"%s: too long for a socket's name; %zu characters fit", path, sizeof(a.sun_path) - 1);
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || probe < 0)
		goto fail;
	if (connect(probe, (struct sockaddr *)&a, sizeof(a)) == 0) {
		errno = EADDRINUSE;
		goto fail;
	}
	if (errno == ECONNREFUSED && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path); /* somebody's who is no more */
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 8) < 0)
		goto fail;
	close(probe);
	return fd;
fail:
	kd_live_say("%s: %s", path,
		errno == EADDRINUSE ? "another run answers there, or it is no socket; choose another --stats"
				    : strerror(errno));
	if (probe >= 0)
		close(probe);
	if (fd >= 0)
		close(fd);
	return -KD_LIVE_ENVIRONMENT;
}

void kd_control_close(int fd, const char *path)
{
	if (fd < 0)
		return;
	close(fd);
	unlink(path);
}

static bool answered(const struct kd_view_of *v)
{
	return atomic_load_explicit(&v->answered, memory_order_acquire) ==
	       atomic_load_explicit(&v->asked, memory_order_relaxed);
}

/* Fresh counters, unless somebody does not answer in time: then those of the last answer stand. */
static void ask(struct kd_live_state *s)
{
	atomic_fetch_add_explicit(&s->io_view.asked, 1, memory_order_release);
	for (unsigned int i = 0; i < s->nworkers; i++)
		atomic_fetch_add_explicit(&s->worker[i].view.asked, 1, memory_order_release);
	for (unsigned int tries = 0; tries < ANSWER_TRIES; tries++) {
		bool all = answered(&s->io_view);

		for (unsigned int i = 0; i < s->nworkers; i++)
			all &= answered(&s->worker[i].view);
		if (all)
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
}

static void put(FILE *f, const char *group, const char *name, uint64_t value)
{
	fprintf(f, "%s %s %" PRIu64 "\n", group, name, value);
}

static void put_losses(FILE *f, const char *group, const uint64_t *lost)
{
	for (unsigned int i = 0; i < KD_LOSS_COUNT; i++)
		if (lost[i] > 0)
			put(f, group, kd_loss_name(i), lost[i]);
}

static void put_reasons(FILE *f, const char *group, const uint64_t *reasons)
{
	for (unsigned int i = 0; i < KD_REASON_COUNT; i++)
		if (reasons[i] > 0)
			put(f, group, kd_reason_name((uint16_t)i), reasons[i]);
}

static void put_all(FILE *f, struct kd_live_state *s)
{
	static const char *const fates[KD_FATE_COUNT] = {"emitted", "rewritten", "dropped", NULL, "injected"};
	struct kd_counters c;
	struct kd_books b;

	kd_live_sums(s, &c, &b);
	fprintf(f, "kordon profile %s\n", s->live->policy->profile);
	put(f, "kordon", "workers", s->nworkers);
	put(f, "received", "inside", b.received[KD_INSIDE]);
	put(f, "received", "outside", b.received[KD_OUTSIDE]);
	put(f, "sent", "inside", b.sent[KD_INSIDE]);
	put(f, "sent", "outside", b.sent[KD_OUTSIDE]);
	put(f, "bytes", "inside", c.in_bytes[KD_INSIDE]);
	put(f, "bytes", "outside", c.in_bytes[KD_OUTSIDE]);
	for (unsigned int i = 0; i < KD_FATE_COUNT; i++)
		if (fates[i] != NULL)
			put(f, "fate", fates[i], c.fates[i]);
	put(f, "fate", "held", c.held);
	put_reasons(f, "reason", c.reasons);
	put_reasons(f, "inject", c.inject_reasons);
	put(f, "flows", "new", c.flows_new);
	put(f, "flows", "live", c.flows_live);
	put(f, "flows", "refused", c.untracked);
	put(f, "events", "lost", c.events_lost);
	put(f, "counts", "full", c.counts_full);
	put(f, "traces", "full", c.traces_full);
	put(f, "gathers", "full", c.gathers_full);
	put(f, "knob_sets", "full", c.knob_sets_full);
	put(f, "bans", "new", c.bans_new);
	put(f, "bans", "hit", c.bans_hit);
	put(f, "bans", "full", c.bans_full);
	put(f, "bans", "untold", c.bans_untold);
	put(f, "nat", "full", c.nat_full);
	put(f, "delay", "waiting_in", b.waiting_in);
	put(f, "delay", "waiting_out", b.waiting_out);
	put_losses(f, "lost_before", b.lost_in);
	put_losses(f, "lost_behind", b.lost_out);
	put(f, "capture", "capture.lost", b.capture_lost);
	put(f, "shard", "shard.misdelivered", b.misdelivered);
	put(f, "buffers", "free", rte_mempool_avail_count(s->pool));
	put(f, "buffers", "in_use", rte_mempool_in_use_count(s->pool));
}

void kd_control_serve(int fd, struct kd_live_state *s)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (client < 0)
		return;
	f = open_memstream(&text, &len);
	if (f != NULL) {
		ask(s);
		put_all(f, s);
		fclose(f);
		/* a few kB: they fit the socket's buffer, or the client does without */
		if (send(client, text, len, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != EAGAIN)
			kd_live_say("%s: %s", s->live->stats_socket, strerror(errno));
		free(text);
	}
	close(client);
}
