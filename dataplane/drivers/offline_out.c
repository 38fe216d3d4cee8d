/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The outputs of an offline run. The run record is the first line of the events and holds the rule that told
 * inside from outside, which only the whole capture tells: so event lines go to an unlinked temporary file
 * first, and behind the run record at the end. Memory stays bounded, and standard input works as input.
 */
#include "drivers/offline_out.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "kd_version.h"
#include "report/json.h"
#include "report/pcapng.h"
#include "rulebook/boxes.h"

#define SPOOL_BUF (1u << 20)
#define COMMENTS 256 /* finished comments kept, a power of two */
#define COMMENT_BYTES 320

/* A comment that was made before: almost every packet's is one of a few. */
struct kd_offline_comment {
	uint64_t key; /* 0 = empty */
	char text[COMMENT_BYTES];
};

/* What a comment calls the fate; an original is what entered and left rewritten. */
static const char *const words[KD_FATE_COUNT + 1] = {
	"emitted", "rewritten", "dropped", "held", "injected", "original"};
#define WORD_ORIGINAL KD_FATE_COUNT

void kd_offline_fail(struct kd_offline_result *ret, enum kd_offline_end end, const char *format, ...)
{
	va_list args;

	if (ret->end != KD_OFFLINE_OK)
		return;
	ret->end = end;
	va_start(args, format);
	vsnprintf(ret->message, sizeof(ret->message), format, args);
	va_end(args);
}

/* "FATE REASON[ rule RULE][ box BOX]: SENTENCE" */
static const char *comment(struct kd_offline_out *w, unsigned int word, const struct kd_action *a)
{
	const struct kd_policy *policy = kd_boxes_policy(w->o->boxes, w->o->policy, a->box);
	uint64_t key =
		1 + ((uint64_t)a->box << 40 | (uint64_t)word << 32 | (uint64_t)a->reason << 16 | a->rule);
	struct kd_offline_comment *c =
		&w->comments[(a->reason * 7u + a->rule * 13u + word * 61u + a->box * 101u) & (COMMENTS - 1)];
	const struct kd_reason *reason = kd_reason(a->reason);
	bool ruled = a->rule != KD_RULE_NONE && a->rule <= policy->nrules;

	if (c->key == key)
		return c->text;
	c->key = key;
	snprintf(c->text, sizeof(c->text), "%s %s%s%s%s%s: %s", words[word], kd_reason_name(a->reason),
		ruled ? " rule " : "", ruled ? policy->rules[a->rule].id : "",
		w->o->boxes != NULL ? " box " : "", w->o->boxes != NULL ? policy->box.id : "",
		reason != NULL ? reason->sentence : "");
	return c->text;
}

void kd_offline_out_left(struct kd_offline_out *w, const struct kd_action *a, uint32_t wire_len)
{
	if (w->pcapng == NULL)
		return;
	kd_pcapng_write(w->pcapng, a->side, a->link, KD_DIR_OUTBOUND, a->time_ns, a->data, a->len, wire_len,
		comment(w, a->fate, a));
}

void kd_offline_out_entered(struct kd_offline_out *w, const struct kd_action *a, const struct kd_entered *p)
{
	if (w->pcapng == NULL || !w->o->keep)
		return;
	kd_pcapng_write(w->pcapng, p->side, p->link, KD_DIR_INBOUND, p->time_ns, p->bytes, p->len,
		p->wire_len, comment(w, a->fate == KD_DROP ? KD_DROP : WORD_ORIGINAL, a));
}

void kd_offline_out_event(struct kd_offline_out *w, const struct kd_event *e, bool open_loop)
{
	char line[KD_JSON_LINE_MAX];
	size_t len;

	if (w->spool == NULL)
		return;
	len = kd_json_event(
		line, sizeof(line), e, kd_boxes_policy(w->o->boxes, w->o->policy, e->box), open_loop);
	if (len == 0)
		kd_offline_fail(w->ret, KD_OFFLINE_INTERNAL,
			"an event of packet %" PRIu64 " does not fit a line", e->number);
	else if (fwrite_unlocked(line, 1, len, w->spool) != len)
		kd_offline_fail(
			w->ret, KD_OFFLINE_ENVIRONMENT, "temporary file for events: %s", strerror(errno));
}

static const char *mode_name(enum kd_checksums mode)
{
	return mode == KD_CHECKSUMS_AUTO ? "auto" : mode == KD_CHECKSUMS_TRUST ? "trust" : "verify";
}

void kd_offline_out_finish(struct kd_offline_out *w)
{
	struct kd_run_record record = {.policy = w->o->policy,
		.boxes = w->o->boxes,
		.seed = w->o->seed,
		.inside = w->ret->inside,
		.checksums = mode_name(w->o->checksums),
		.endpoint = &w->ret->endpoint,
		.endpoint_guessed = w->ret->endpoint_guessed};
	size_t room = kd_json_run_room(&record), n;
	char line[KD_JSON_LINE_MAX], *first;

	if (w->events == NULL)
		return;
	first = malloc(room);
	n = first != NULL ? kd_json_run(first, room, &record) : 0;
	if (first == NULL)
		kd_offline_fail(w->ret, KD_OFFLINE_ENVIRONMENT, "out of memory");
	else if (n == 0)
		kd_offline_fail(w->ret, KD_OFFLINE_INTERNAL, "the run record does not fit a line");
	else
		fwrite(first, 1, n, w->events);
	free(first);
	/* a full disk shows here at the latest; what was spooled is still handed on */
	if (fflush(w->spool) != 0 || fseek(w->spool, 0, SEEK_SET) != 0)
		kd_offline_fail(
			w->ret, KD_OFFLINE_ENVIRONMENT, "temporary file for events: %s", strerror(errno));
	while ((n = fread(line, 1, sizeof(line), w->spool)) > 0)
		if (fwrite(line, 1, n, w->events) != n)
			break;
	if (ferror(w->spool))
		kd_offline_fail(
			w->ret, KD_OFFLINE_ENVIRONMENT, "temporary file for events: cannot be read back");
	errno = 0;
	if (fflush(w->events) != 0 || ferror(w->events))
		kd_offline_fail(w->ret, KD_OFFLINE_ENVIRONMENT, "%s: %s", w->o->events,
			strerror(errno != 0 ? errno : EIO));
}

static void open_events(struct kd_offline_out *w)
{
	const char *path = w->o->events;

	w->events = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
	if (w->events == NULL) {
		kd_offline_fail(w->ret, KD_OFFLINE_ENVIRONMENT, "%s: %s", path, strerror(errno));
		return;
	}
	w->spool_buf = malloc(SPOOL_BUF);
	w->spool = w->spool_buf != NULL ? tmpfile() : NULL;
	if (w->spool == NULL) {
		kd_offline_fail(
			w->ret, KD_OFFLINE_ENVIRONMENT, "temporary file for events: %s", strerror(errno));
		return;
	}
	setvbuf(w->spool, w->spool_buf, _IOFBF, SPOOL_BUF);
}

void kd_offline_out_open(struct kd_offline_out *w, const struct kd_offline *o, struct kd_offline_result *ret)
{
	int rc;

	*w = (struct kd_offline_out){.o = o, .ret = ret};
	if (o->events != NULL)
		open_events(w);
	if (ret->end != KD_OFFLINE_OK || o->output == NULL)
		return;
	w->comments = calloc(COMMENTS, sizeof(*w->comments));
	rc = w->comments != NULL ? kd_pcapng_open(&w->pcapng, o->output, "kordon " KD_VERSION) : -ENOMEM;
	if (rc < 0)
		kd_offline_fail(ret, KD_OFFLINE_ENVIRONMENT, "%s: %s", o->output, strerror(-rc));
}

void kd_offline_out_close(struct kd_offline_out *w)
{
	int rc = w->pcapng != NULL ? kd_pcapng_close(w->pcapng) : 0;

	if (rc < 0)
		kd_offline_fail(w->ret, KD_OFFLINE_ENVIRONMENT, "%s: %s", w->o->output, strerror(-rc));
	if (w->events != NULL && w->events != stdout && fclose(w->events) != 0)
		kd_offline_fail(w->ret, KD_OFFLINE_ENVIRONMENT, "%s: %s", w->o->events, strerror(errno));
	if (w->spool != NULL)
		fclose(w->spool);
	free(w->spool_buf);
	free(w->comments);
}

static void say(FILE *to, uint64_t n, const char *one, const char *many)
{
	if (n > 0)
		fprintf(to, "kordon: %" PRIu64 " %s\n", n, n == 1 ? one : many);
}

static void say_sums(const struct kd_offline_result *x, FILE *to)
{
	if (x->verified) {
		say(to, x->unfinished + x->wrong, "packet has a bad checksum: forwarded, not inspected",
			"packets have a bad checksum: forwarded, not inspected");
		return;
	}
	say(to, x->unfinished,
		"packet carries an unfinished checksum: captured on the sending host (offload); taken as "
		"good",
		"packets carry an unfinished checksum: captured on the sending host (offload); taken as "
		"good");
	if (x->sums_matter) {
		say(to, x->wrong, "packet has a wrong checksum: fake.checksum says what the box makes of it",
			"packets have a wrong checksum: fake.checksum says what the box makes of them");
		return;
	}
	say(to, x->wrong, "packet has a wrong checksum: the box does not check, nor does this run",
		"packets have a wrong checksum: the box does not check, nor does this run");
}

void kd_offline_say(const struct kd_offline_result *x, FILE *to)
{
	for (unsigned int i = 0; i < x->nskipped_by; i++)
		fprintf(to,
			"kordon: interface %" PRIu32 "%s%s: link type %" PRIu32 " cannot be read: %" PRIu64
			" packet%s left out\n",
			x->skipped_by[i].iface, x->skipped_by[i].name[0] != '\0' ? " " : "",
			x->skipped_by[i].name, x->skipped_by[i].dlt, x->skipped_by[i].packets,
			x->skipped_by[i].packets == 1 ? "" : "s");
	if (x->other_scale != 0)
		fprintf(to,
			"kordon: the capture is of a live run under --time-scale %" PRIu32
			": only a replay under the same tells what its box did\n",
			x->other_scale);
	say(to, x->sides[KD_SIDE_BY_FIRST],
		"packet's inside is a guess: the sender of its flow's first packet (--inside-net says it)",
		"packets' inside is a guess: the sender of their flow's first packet (--inside-net says it)");
	say(to, x->clamped, "packet went back in time: it counts as of the latest time before it",
		"packets went back in time: they count as of the latest time before them");
	say_sums(x, to);
	say(to, x->super, "packet is longer than a wire carries: captured where offloading joins segments",
		"packets are longer than a wire carries: captured where offloading joins segments");
	say(to, x->untracked, "packet found the flow table full and was judged alone",
		"packets found the flow table full and were judged alone");
}
