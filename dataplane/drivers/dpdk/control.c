/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket behind `kordon stats` and `kordon bypass`: who connects says one line, gets one answer, and the
 * end of the stream. "stats", or nothing at all, gets lines of "group name value"; "bypass on|off [RULE]"
 * gets "done" or "refused" and a sentence. Asks the workers and waits a little for them.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "drivers/dpdk/parts.h"
#include "rulebook/diag.h"

#define LINE_MS 200	    /* a client that has something to say says it at once */
#define LEAD_NS 50000000ull /* in which every worker hears of a switch, so that all throw it at one time */
#define ANSWER_TRIES 200    /* of 1 ms: a worker may sleep, or share its CPU */

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
	for (uint32_t i = 0; i <= s->live->policy->nrules; i++)
		if (s->bypassed[i])
			put(f, "bypassed", i == 0 ? "box" : s->live->policy->rules[i].id, 1);
	put(f, "switches", "late", c.switched_late);
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

static void refuse_rule(FILE *f, const struct kd_policy *p, const char *rule)
{
	char *words = NULL, *near;
	size_t len = 0;
	FILE *w = open_memstream(&words, &len);

	for (uint32_t i = 1; w != NULL && i <= p->nrules; i++)
		fprintf(w, "%s%s", i > 1 ? "|" : "", p->rules[i].id);
	if (w == NULL || fclose(w) != 0)
		return;
	near = kd_did_you_mean(rule, words);
	fprintf(f, "refused unknown rule \"%.80s\"; ", rule);
	if (near != NULL)
		fprintf(f, "did you mean \"%s\"?\n", near);
	else
		fprintf(f, "%s; see 'kordon list rules'\n",
			p->nrules > 0 ? "none is like it" : "the box has no rules");
	free(near);
	free(words);
}

static bool all_obeyed(const struct kd_live_state *s)
{
	for (unsigned int i = 0; i < s->nworkers; i++)
		if (kd_engine_bypass_waits(s->worker[i].engine))
			return false;
	return true;
}

/* The same time for every worker, and in the capture: so its replay throws the switch at the same packet. */
static void throw_switch(FILE *f, struct kd_live_state *s, struct kd_desk *d, uint16_t rule, bool on)
{
	uint64_t from_ns = kd_clock_ns(&s->io.clock) + LEAD_NS;
	const char *id = rule != 0 ? s->live->policy->rules[rule].id : NULL;

	if (s->bypassed[rule] == on) {
		fprintf(f, "done %s%s is %s already\n", id != NULL ? "rule " : "the box",
			id != NULL ? id : "", on ? "bypassed" : "inline");
		return;
	}
	if (!all_obeyed(s)) {
		fputs("refused a worker has not obeyed the last one yet\n", f);
		return;
	}
	for (unsigned int i = 0; i < s->nworkers; i++)
		kd_engine_bypass(s->worker[i].engine, rule, on, from_ns);
	kd_desk_switch(d, id, on, from_ns);
	s->bypassed[rule] = on;
	for (unsigned int tries = 0; tries < LEAD_NS / 1000000 + ANSWER_TRIES && !all_obeyed(s); tries++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	if (!all_obeyed(s))
		fputs("refused a worker does not answer; it will obey when it does\n", f);
	else
		fprintf(f, "done %s%s is %s\n", id != NULL ? "rule " : "the box", id != NULL ? id : "",
			on ? "bypassed" : "inline");
}

static void bypass(FILE *f, struct kd_live_state *s, struct kd_desk *d, const char *words)
{
	bool on = strncmp(words, "on", 2) == 0;
	const char *rule = words + (on ? 2 : 3);
	uint16_t number = 0;

	if ((!on && strncmp(words, "off", 3) != 0) || (*rule != '\0' && *rule != ' ')) {
		fputs("refused expected bypass on|off [RULE]\n", f);
		return;
	}
	if (*rule == ' ') {
		number = kd_policy_rule_find(s->live->policy, ++rule);
		if (number == 0) {
			refuse_rule(f, s->live->policy, rule);
			return;
		}
	}
	throw_switch(f, s, d, number, on);
}

/* One line, or what of it came; a client that says nothing wants what stats gives. */
static void hear(int client, char *line, size_t room)
{
	struct pollfd fd = {.fd = client, .events = POLLIN};
	ssize_t n = 0;

	if (poll(&fd, 1, LINE_MS) > 0)
		n = recv(client, line, room - 1, MSG_DONTWAIT);
	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

void kd_control_serve(int fd, struct kd_live_state *s, struct kd_desk *d)
{
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char line[160], *text = NULL;
	size_t len = 0;
	FILE *f;

	if (client < 0)
		return;
	hear(client, line, sizeof(line));
	f = open_memstream(&text, &len);
	if (f != NULL) {
		if (strncmp(line, "bypass ", 7) == 0) {
			bypass(f, s, d, line + 7);
		} else {
			ask(s);
			put_all(f, s);
		}
		fclose(f);
		/* a few kB: they fit the socket's buffer, or the client does without */
		if (send(client, text, len, MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != EAGAIN)
			kd_live_say("%s: %s", s->live->stats_socket, strerror(errno));
		free(text);
	}
	close(client);
}
