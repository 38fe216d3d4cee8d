/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The main thread's desk: takes records out of every engine's ring and copies out of the capture's, puts them
 * in order, writes them. May allocate and wait; nobody on the packets' path waits for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/dpdk/parts.h"
#include "drivers/ingress.h"
#include "report/json.h"
#include "report/order.h"
#include "report/pcapng.h"

#define DRAIN 64
#define NOTES 64
#define FILE_BUFFER (256u * 1024)

struct kd_desk {
	struct kd_live_state *s;
	struct kd_order *order;
	FILE *events;
	struct kd_pcapng *capture;
	int error; /* enum kd_live_end; the first failure was said */
	struct kd_event drained[DRAIN];
};

static void fail(struct kd_desk *d, const char *what, int error)
{
	if (d->error == 0)
		d->error = kd_live_say("%s: %s", what, strerror(error));
}

static void write_line(struct kd_desk *d, const char *line, size_t len)
{
	errno = 0;
	if (fwrite_unlocked(line, 1, len, d->events) != len)
		fail(d, d->s->live->events, errno != 0 ? errno : EIO);
}

static void on_event(void *user, const struct kd_event *e)
{
	struct kd_desk *d = user;
	char line[KD_JSON_LINE_MAX];

	if (d->events != NULL)
		write_line(d, line, kd_json_event(line, sizeof(line), e, d->s->live->policy, false));
}

static int open_events(struct kd_desk *d)
{
	const struct kd_live *live = d->s->live;
	struct kd_run_record record = {
		.policy = live->policy, .seed = live->seed, .inside = "interface", .checksums = "trust"};
	size_t room = kd_json_run_room(&record);
	char *line;

	if (live->events == NULL)
		return 0;
	d->events = strcmp(live->events, "-") == 0 ? stdout : fopen(live->events, "we");
	if (d->events == NULL)
		return kd_live_say("%s: %s", live->events, strerror(errno));
	setvbuf(d->events, NULL, _IOFBF, FILE_BUFFER);
	line = malloc(room);
	if (line == NULL)
		return kd_live_say("%s: out of memory", live->events);
	write_line(d, line, kd_json_run(line, room, &record));
	free(line);
	if (d->error == 0 && fflush(d->events) != 0)
		fail(d, live->events, errno);
	return d->error;
}

static int open_capture(struct kd_desk *d)
{
	const struct kd_live *live = d->s->live;
	char mark[KD_INGRESS_MARK];
	int rc;

	if (live->capture == NULL)
		return 0;
	kd_ingress_mark(mark, live->policy, live->seed, live->hops, live->lab_nets);
	rc = kd_pcapng_open(&d->capture, live->capture, mark);
	return rc < 0 ? kd_live_say("%s: %s", live->capture, strerror(-rc)) : 0;
}

int kd_desk_open(struct kd_desk **ret, struct kd_live_state *s)
{
	struct kd_desk *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return kd_live_say("out of memory");
	d->s = s;
	rc = kd_order_new(&d->order, on_event, d) < 0 ? kd_live_say("out of memory") : 0;
	if (rc == 0)
		rc = open_events(d);
	if (rc == 0)
		rc = open_capture(d);
	if (rc == 0)
		*ret = d;
	else
		kd_desk_close(d);
	return rc;
}

static unsigned int drain(struct kd_desk *d, struct kd_engine *engine)
{
	unsigned int n, total = 0;

	while ((n = kd_engine_events(engine, d->drained, DRAIN)) > 0) {
		for (unsigned int i = 0; i < n; i++)
			if (kd_order_add(d->order, &d->drained[i]) < 0)
				fail(d, "events", ENOMEM);
		total += n;
	}
	return total;
}

static unsigned int write_copies(struct kd_desk *d)
{
	struct rte_mbuf *m[KD_LIVE_BURST];
	unsigned int n, total = 0;

	if (d->capture == NULL)
		return 0;
	while ((n = rte_ring_sc_dequeue_burst(d->s->io.capture, (void **)m, KD_LIVE_BURST, NULL)) > 0) {
		for (unsigned int i = 0; i < n; i++) {
			const struct kd_note *note = kd_note(m[i]);

			kd_pcapng_write(d->capture, note->side, KD_LINK_ETHERNET, KD_DIR_INBOUND,
				note->time_ns, rte_pktmbuf_mtod(m[i], uint8_t *), m[i]->data_len,
				m[i]->data_len, NULL);
		}
		rte_pktmbuf_free_bulk(m, n);
		total += n;
	}
	return total;
}

/* What one worker bans for everyone the others hear of; how many notes went round. */
static unsigned int carry_bans(struct kd_desk *d)
{
	struct kd_ban_note note[NOTES];
	unsigned int n, total = 0;

	for (unsigned int from = 0; d->s->nworkers > 1 && from < d->s->nworkers; from++) {
		n = kd_engine_bans_out(d->s->worker[from].engine, note, NOTES);
		for (unsigned int to = 0; to < d->s->nworkers; to++)
			for (unsigned int i = 0; to != from && i < n; i++)
				d->s->bans_untold += !kd_engine_ban_in(d->s->worker[to].engine, &note[i]);
		total += n;
	}
	return total;
}

unsigned int kd_desk_round(struct kd_desk *d)
{
	uint64_t horizon_ns = UINT64_MAX;
	unsigned int n = carry_bans(d);

	/* the horizon first: whatever is older was in the ring when it was published */
	for (unsigned int i = 0; i < d->s->nworkers; i++) {
		uint64_t ns = atomic_load_explicit(&d->s->worker[i].horizon_ns, memory_order_acquire);

		if (ns < horizon_ns)
			horizon_ns = ns;
	}
	for (unsigned int i = 0; i < d->s->nworkers; i++)
		n += drain(d, d->s->worker[i].engine);
	kd_order_flush(d->order, horizon_ns);
	n += write_copies(d);
	if (n == 0 && d->events != NULL && d->error == 0 && fflush(d->events) != 0)
		fail(d, d->s->live->events, errno);
	return n;
}

void kd_desk_switch(struct kd_desk *d, const char *rule, bool on, uint64_t from_ns)
{
	char note[KD_INGRESS_SWITCH];

	if (d->capture == NULL)
		return;
	kd_ingress_switch(note, rule, on);
	kd_pcapng_note(d->capture, from_ns, note);
}

int kd_desk_failed(const struct kd_desk *d)
{
	return d->error;
}

int kd_desk_finish(struct kd_desk *d, uint64_t end_ns)
{
	int rc;

	for (unsigned int i = 0; i < d->s->nworkers; i++) {
		struct kd_worker *w = &d->s->worker[i];

		drain(d, w->engine);
		kd_worker_advance(w, end_ns);
		kd_worker_send(&d->s->io, w); /* what fell due since its thread ended */
		kd_worker_release(w);
		while (kd_engine_finish(w->engine) > 0)
			drain(d, w->engine);
		drain(d, w->engine);
	}
	while (kd_delay_count(&d->s->io.out) > 0)
		kd_io_tend(&d->s->io);
	kd_order_flush(d->order, UINT64_MAX);
	write_copies(d);
	if (d->capture != NULL) {
		kd_pcapng_end(d->capture, end_ns);
		rc = kd_pcapng_close(d->capture);
		d->capture = NULL;
		if (rc < 0)
			fail(d, d->s->live->capture, -rc);
	}
	errno = 0;
	if (d->events != NULL && (fflush(d->events) != 0 || ferror(d->events)))
		fail(d, d->s->live->events, errno != 0 ? errno : EIO);
	return d->error;
}

void kd_desk_close(struct kd_desk *d)
{
	if (d == NULL)
		return;
	if (d->capture != NULL)
		kd_pcapng_close(d->capture);
	if (d->events != NULL && d->events != stdout)
		fclose(d->events);
	kd_order_free(d->order);
	free(d);
}
