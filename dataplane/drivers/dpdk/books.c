/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sums of a live run, and how it is judged at the end: every packet received was sent, dropped for a
 * named reason or is still held; every buffer is back in its pool. The engine's own books are checked by the
 * engine's own rule.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "drivers/dpdk/parts.h"

static const struct {
	const char *name, *sentence;
} losses[KD_LOSS_COUNT] = {
#define X(symbol, name, sentence) [KD_LOSS_##symbol] = {name, sentence},
	KD_LOSSES(X)
#undef X
};

const char *kd_loss_name(unsigned int loss)
{
	return losses[loss].name;
}

const char *kd_loss_sentence(unsigned int loss)
{
	return losses[loss].sentence;
}

int kd_live_say(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	fputs("kordon: ", stderr);
	vfprintf(stderr, format, ap);
	fputc('\n', stderr);
	va_end(ap);
	return KD_LIVE_ENVIRONMENT;
}

void kd_clock_start(struct kd_clock *c)
{
	struct timespec t;

	c->base_tsc = rte_rdtsc();
	clock_gettime(CLOCK_REALTIME, &t);
	c->base_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
	c->ns_per_tick = (uint64_t)(((unsigned __int128)1000000000u << 32) / rte_get_tsc_hz());
}

void kd_books_add(struct kd_books *sum, const struct kd_books *b)
{
	for (unsigned int i = 0; i < 2; i++) {
		sum->received[i] += b->received[i];
		sum->sent[i] += b->sent[i];
	}
	for (unsigned int i = 0; i < KD_LOSS_COUNT; i++) {
		sum->lost_in[i] += b->lost_in[i];
		sum->lost_out[i] += b->lost_out[i];
	}
	sum->waiting_in += b->waiting_in;
	sum->waiting_out += b->waiting_out;
	sum->misdelivered += b->misdelivered;
	sum->capture_lost += b->capture_lost;
}

static void counters_add(struct kd_counters *sum, const struct kd_counters *c)
{
	for (unsigned int i = 0; i < 2; i++) {
		sum->in[i] += c->in[i];
		sum->in_bytes[i] += c->in_bytes[i];
	}
	for (unsigned int i = 0; i < KD_FATE_COUNT; i++)
		sum->fates[i] += c->fates[i];
	for (unsigned int i = 0; i < KD_REASON_COUNT; i++) {
		sum->reasons[i] += c->reasons[i];
		sum->inject_reasons[i] += c->inject_reasons[i];
	}
	sum->held += c->held;
	sum->consumed += c->consumed;
	sum->inject_refused += c->inject_refused;
	sum->flows_new += c->flows_new;
	sum->flows_ended += c->flows_ended;
	sum->flows_live += c->flows_live;
	sum->untracked += c->untracked;
	sum->events_lost += c->events_lost;
	sum->counts_full += c->counts_full;
	sum->traces_full += c->traces_full;
	sum->gathers_full += c->gathers_full;
	sum->bans_new += c->bans_new;
	sum->bans_hit += c->bans_hit;
	sum->bans_full += c->bans_full;
	sum->bans_untold += c->bans_untold;
	sum->nat_full += c->nat_full;
	sum->switched_late += c->switched_late;
	sum->knob_sets_full += c->knob_sets_full;
}

void kd_live_sums(struct kd_live_state *s, struct kd_counters *engine, struct kd_books *books)
{
	*engine = (struct kd_counters){0};
	*books = s->io_view.books;
	for (unsigned int i = 0; i < s->nworkers; i++) {
		counters_add(engine, &s->worker[i].view.engine);
		kd_books_add(books, &s->worker[i].view.books);
	}
	engine->bans_untold += s->bans_untold;
}

/* At rest: the owners' own numbers, no question asked. */
void kd_live_collect(struct kd_live_state *s)
{
	s->io_view.books = s->io.books;
	for (unsigned int i = 0; i < s->nworkers; i++) {
		s->worker[i].view.engine = *kd_engine_counters(s->worker[i].engine);
		s->worker[i].view.books = s->worker[i].books;
	}
}

static uint64_t sum(const uint64_t *v, unsigned int n)
{
	uint64_t total = 0;

	while (n-- > 0)
		total += *v++;
	return total;
}

static const char *unbalanced(struct kd_live_state *s, const struct kd_counters *c, const struct kd_books *b)
{
	uint64_t out = c->fates[KD_EMIT] + c->fates[KD_REWRITE] + c->fates[KD_INJECT];

	for (unsigned int i = 0; i < s->nworkers; i++) {
		const char *wrong = kd_counters_unbalanced(&s->worker[i].view.engine);

		if (wrong != NULL)
			return wrong;
	}
	if (sum(b->received, 2) != sum(c->in, 2) + sum(b->lost_in, KD_LOSS_COUNT) + b->waiting_in)
		return "packets received are not those the engine got + lost before it + waiting";
	if (out != sum(b->sent, 2) + sum(b->lost_out, KD_LOSS_COUNT) + b->waiting_out)
		return "packets the engine let go are not those sent + lost behind it + waiting";
	if (b->misdelivered > 0)
		return "a worker got packets of another worker's clients (shard.misdelivered)";
	return NULL;
}

static void say_losses(const char *where, const uint64_t *lost)
{
	for (unsigned int i = 0; i < KD_LOSS_COUNT; i++)
		if (lost[i] > 0)
			kd_live_say("%s %" PRIu64 " dropped: %s (%s)", where, lost[i], kd_loss_name(i),
				kd_loss_sentence(i));
}

static void say_buffers(const struct kd_live_state *s)
{
	static const char *const names[3] = {"packets", "injections", "capture"};
	struct rte_mempool *const pools[3] = {s->pool, s->injects, s->copies};

	for (unsigned int i = 0; i < 3; i++)
		if (pools[i] != NULL)
			kd_live_say("buffers for %s: %u free at the start, %u at the end", names[i],
				s->pool_start[i], rte_mempool_avail_count(pools[i]));
}

static void say_all(struct kd_live_state *s, const struct kd_counters *c, const struct kd_books *b)
{
	uint64_t lost = sum(b->lost_in, KD_LOSS_COUNT);

	kd_live_say("%" PRIu64 " packets in (%" PRIu64 " inside, %" PRIu64 " outside) = %" PRIu64
		    " emitted + %" PRIu64 " dropped + %" PRIu64 " held + %" PRIu64 " consumed; %" PRIu64
		    " rewritten, %" PRIu64 " injected",
		sum(b->received, 2), b->received[KD_INSIDE], b->received[KD_OUTSIDE],
		c->fates[KD_EMIT] + c->fates[KD_REWRITE], c->fates[KD_DROP] + lost, c->held + b->waiting_in,
		c->consumed, c->fates[KD_REWRITE], c->fates[KD_INJECT]);
	say_losses("before the engine:", b->lost_in);
	say_losses("behind the engine:", b->lost_out);
	kd_live_say("%" PRIu64 " packets sent (%" PRIu64 " inside, %" PRIu64 " outside); %" PRIu64
		    " flows, %" PRIu64 " without a place",
		sum(b->sent, 2), b->sent[KD_INSIDE], b->sent[KD_OUTSIDE], c->flows_new, c->untracked);
	for (unsigned int r = KD_REASON_GUARD_OUTSIDE_LAB; r <= KD_REASON_GUARD_LAB_SIZE; r++)
		if (c->reasons[r] > 0)
			kd_live_say("%" PRIu64 " packets untouched: %s (%s)", c->reasons[r],
				kd_reason_name((uint16_t)r), kd_reason((uint16_t)r)->sentence);
	say_buffers(s);
}

static bool buffers_back(const struct kd_live_state *s, uint64_t held)
{
	struct rte_mempool *const pools[3] = {s->pool, s->injects, s->copies};
	bool back = true;

	for (unsigned int i = 0; i < 3; i++)
		if (pools[i] != NULL && !(i == 0 && s->pool_kept))
			back &= rte_mempool_avail_count(pools[i]) + (i == 0 ? held : 0) == s->pool_start[i];
	return back;
}

int kd_live_report(struct kd_live_state *s)
{
	struct kd_counters c;
	struct kd_books b;
	const char *wrong;
	int rc = KD_LIVE_OK;

	kd_live_collect(s);
	kd_live_sums(s, &c, &b);
	if (!s->live->quiet)
		say_all(s, &c, &b);
	if (b.capture_lost > 0) {
		rc = KD_LIVE_INCONCLUSIVE;
		kd_live_say(
			"%" PRIu64
			" packets are missing in the capture (capture.lost): its replay gives other events",
			b.capture_lost);
	}
	if (c.events_lost > 0) {
		kd_live_say("%" PRIu64 " events were lost in a full ring", c.events_lost);
		rc = KD_LIVE_INTERNAL;
	}
	wrong = unbalanced(s, &c, &b);
	if (wrong != NULL) {
		kd_live_say("conservation broken: %s", wrong);
		rc = KD_LIVE_INTERNAL;
	}
	if (!buffers_back(s, c.held)) {
		if (s->live->quiet)
			say_buffers(s);
		kd_live_say("conservation broken: buffers did not come back");
		rc = KD_LIVE_INTERNAL;
	}
	return rc;
}
