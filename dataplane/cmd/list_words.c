/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a rule matches, as one phrase that can be held against a paper. It says everything the rule says, but
 * for names beyond the first few; the exact form is kd_when_text's.
 */
#include "cmd/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cursor.h"
#include "engine/protocol.h"
#include "rulebook/when.h"

static void phrase(FILE *f, const struct kd_when *w, unsigned int names);

/* What stands before element i of n: "a, b or c". */
static const char *between(unsigned int i, unsigned int n)
{
	return i == 0 ? "" : i + 1 == n ? " or " : ", ";
}

static void upper(FILE *f, const char *word)
{
	for (; *word != '\0'; word++)
		fputc(*word >= 'a' && *word <= 'z' ? *word - 'a' + 'A' : *word, f);
}

static void words_of(FILE *f, const struct kd_when *w)
{
	for (unsigned int i = 0; i < w->nwords; i++)
		fprintf(f, "%s%s", between(i, w->nwords), w->words[i]);
}

static void names_of(FILE *f, const struct kd_name_term *t, unsigned int most)
{
	unsigned int shown = t->own.count <= most + 1 ? t->own.count : most, n = shown + t->nlists;

	n += shown < t->own.count;
	for (unsigned int i = 0; i < shown; i++)
		fprintf(f, "%s%s", between(i, n), t->own.names[i].text);
	if (shown < t->own.count)
		fprintf(f, "%s%u more", between(shown, n), t->own.count - shown);
	for (unsigned int i = 0; i < t->nlists; i++)
		fprintf(f, "%son the list %s (%u)", between(n - t->nlists + i, n), t->lists[i]->name,
			t->lists[i]->count);
}

static void prefix_of(FILE *f, const struct kd_prefix *p)
{
	if (!p->v6) {
		fprintf(f, "%u.%u.%u.%u", p->addr[0], p->addr[1], p->addr[2], p->addr[3]);
	} else {
		unsigned int last = 8;

		/* The zeros at the end are all that prefixes need shortened. */
		while (last > 0 && kd_get16(p->addr + 2 * (last - 1)) == 0)
			last--;
		for (unsigned int i = 0; i < last; i++)
			fprintf(f, "%s%x", i > 0 ? ":" : "", kd_get16(p->addr + 2 * i));
		if (last < 8)
			fputs(last == 7 ? ":0" : "::", f);
	}
	if (p->bits < (p->v6 ? 128 : 32))
		fprintf(f, "/%u", p->bits);
}

static void addresses_of(FILE *f, const struct kd_address_term *t)
{
	unsigned int n = t->ntags + t->nown;

	for (unsigned int i = 0; i < t->ntags; i++)
		fprintf(f, "%s@%s", between(i, n), t->tags[i]->id);
	for (unsigned int i = 0; i < t->nown; i++) {
		fputs(between(t->ntags + i, n), f);
		prefix_of(f, &t->own[i]);
	}
}

/* Whole numbers and ranges of them; an end that is none is not said. */
static void spans_of(FILE *f, const struct kd_when *w, const char *unit)
{
	for (unsigned int i = 0; i < w->nspans; i++) {
		const struct kd_span *s = &w->spans[i];

		fputs(between(i, w->nspans), f);
		if (s->lo == s->hi)
			fprintf(f, "%" PRIu64 "%s", s->lo, unit);
		else if (s->hi == UINT64_MAX)
			fprintf(f, "at least %" PRIu64 "%s", s->lo, unit);
		else if (s->lo == 0)
			fprintf(f, "at most %" PRIu64 "%s", s->hi, unit);
		else
			fprintf(f, "%" PRIu64 " to %" PRIu64 "%s", s->lo, s->hi, unit);
	}
}

/* The word that stands for a number in "1.2=0x0303|..."; NULL = none. */
static const char *word_for(const char *words, uint64_t number, size_t *len)
{
	for (const char *w = words; w != NULL && *w != '\0';) {
		size_t n = strcspn(w, "|"), eq = strcspn(w, "=");

		if (eq < n && strtoull(w + eq + 1, NULL, 0) == number) {
			*len = eq;
			return w;
		}
		w += n + (w[n] == '|');
	}
	return NULL;
}

static void field_of(FILE *f, const struct kd_when *w)
{
	const struct kd_field_spec *spec = &kd_protocols[w->protocol]->fields[w->field];
	const char *word;
	size_t len;

	fprintf(f, "with %s ", w->key);
	words_of(f, w);
	for (unsigned int i = 0; i < w->nspans; i++) {
		const struct kd_span *s = &w->spans[i];

		fputs(between(i, w->nspans), f);
		word = s->lo == s->hi ? word_for(spec->words, s->lo, &len) : NULL;
		if (word != NULL)
			fprintf(f, "%.*s", (int)len, word);
		else if (s->lo == s->hi)
			fprintf(f, "0x%04" PRIx64, s->lo);
		else
			fprintf(f, "0x%04" PRIx64 " to 0x%04" PRIx64, s->lo, s->hi);
	}
}

static void runs_of(FILE *f, const struct kd_when *w)
{
	for (unsigned int i = 0; i < w->nruns; i++) {
		const struct kd_byte_run *r = &w->runs[i];

		fprintf(f, "%s", i > 0 ? " and " : "with ");
		for (uint32_t b = 0; b < r->len; b++) {
			fputs(b > 0 ? " " : "", f);
			for (int shift = 4; shift >= 0; shift -= 4)
				fputc((r->mask[b] >> shift & 0xf) == 0
						? '?'
						: "0123456789abcdef"[r->bytes[b] >> shift & 0xf],
					f);
		}
		fprintf(f, " at byte %u", r->offset);
	}
}

static void hours_of(FILE *f, const struct kd_when *w)
{
	for (unsigned int i = 0; i < w->nspans; i++) {
		unsigned int lo = (unsigned int)w->spans[i].lo, hi = (unsigned int)w->spans[i].hi + 1;

		fprintf(f, "%s%02u:%02u to %02u:%02u", between(i, w->nspans), lo / 60, lo % 60, hi / 60,
			hi % 60);
	}
}

static void count_of(FILE *f, const struct kd_count_term *c)
{
	static const char *const keys[] = {"client", "subscriber", "server", "server prefix",
		"tag of the server", "port", "name", "flow"};
	bool first = true;

	fprintf(f, "more than %s of them within %s", c->more_than.text != NULL ? c->more_than.text : "?",
		c->window.text != NULL ? c->window.text : "?");
	if (c->spacing.text != NULL)
		fprintf(f, " (each at most %s after the one before)", c->spacing.text);
	for (unsigned int i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if ((c->keys >> i & 1) == 0)
			continue;
		fprintf(f, "%s%s", first ? " for one " : " and ", keys[i]);
		first = false;
	}
}

static void end_of(FILE *f, const struct kd_when *w, const char *what)
{
	static const char *const to[] = {"to", "by", "to or by"};

	fprintf(f, "%s%s%s",
		w->of == KD_END_BY ? "opened by"
		: w->of < 3	   ? to[w->of]
				   : "?",
		what[0] != '\0' ? " " : "", what);
	fputc(' ', f);
}

static const char *side(unsigned int of)
{
	return of == KD_INSIDE ? "the inside" : of == KD_OUTSIDE ? "the outside" : "anywhere";
}

/* The words of a protocol or transport term. */
static void what_of(FILE *f, const struct kd_when *w)
{
	static const char *const transports[] = {"TCP", "UDP", "ICMP", "other IP protocols"};
	unsigned int n = 0, of = 0;

	if (w->term == KD_TERM_PROTOCOL) {
		for (unsigned int i = 0; i < w->nwords; i++) {
			fputs(between(i, w->nwords), f);
			upper(f, w->words[i]);
		}
		return;
	}
	for (unsigned int i = 0; i < 4; i++)
		of += w->mask >> i & 1;
	for (unsigned int i = 0; i < 4; i++)
		if (w->mask >> i & 1)
			fprintf(f, "%s%s", between(n++, of), transports[i]);
}

/* Terms about one packet's payload and its place in the flow. */
static void packet_term(FILE *f, const struct kd_when *w)
{
	switch (w->term) {
	case KD_TERM_LENGTH:
		fputs("with ", f);
		spans_of(f, w, " bytes");
		fputs(" of payload", f);
		break;
	case KD_TERM_BYTES:
		runs_of(f, w);
		break;
	case KD_TERM_NTH:
		fputs("in payload packet ", f);
		spans_of(f, w, "");
		fputs(" of its side", f);
		break;
	case KD_TERM_FAKE:
		fputs("in a packet seen through as fake by ", f);
		words_of(f, w);
		break;
	case KD_TERM_CLASSIFIED:
		fputs("of which nothing has been recognised so far", f);
		break;
	case KD_TERM_ALREADY:
		fputs("that the rule ", f);
		words_of(f, w);
		fputs(" has matched before", f);
		break;
	case KD_TERM_COUNT:
		count_of(f, &w->count);
		break;
	case KD_TERM_HOURS:
		fputs("at ", f);
		hours_of(f, w);
		fputs(" in Moscow", f);
		break;
	default:
		fputs(w->key != NULL ? w->key : "?", f);
	}
}

static void term(FILE *f, const struct kd_when *w, unsigned int names)
{
	switch (w->term) {
	case KD_TERM_NEVER:
		fprintf(f, "with %s ", w->key);
		words_of(f, w);
		fputs(" (cannot be told yet)", f);
		break;
	case KD_TERM_PROTOCOL:
	case KD_TERM_TRANSPORT:
		if (w->term == KD_TERM_TRANSPORT)
			fputs("over ", f);
		what_of(f, w);
		break;
	case KD_TERM_SIGNATURE:
		fputs("that fits the signature ", f);
		words_of(f, w);
		break;
	case KD_TERM_NAME:
		fputs("whose ", f);
		if (strcmp(w->key, "sni") == 0)
			upper(f, w->key);
		else
			fputs(w->key, f);
		fputs(" is ", f);
		names_of(f, &w->names, names);
		break;
	case KD_TERM_OPENED:
		fprintf(f, "opened from %s", w->of == KD_INSIDE ? "inside" : side(w->of));
		break;
	case KD_TERM_FROM:
		fprintf(f, "in a packet from %s", side(w->of));
		break;
	case KD_TERM_ADDRESS:
		end_of(f, w, "");
		addresses_of(f, &w->addresses);
		break;
	case KD_TERM_PORT:
		end_of(f, w, "port");
		spans_of(f, w, "");
		break;
	case KD_TERM_FIELD:
		field_of(f, w);
		break;
	case KD_TERM_PAIRS:
		fprintf(f, "whose name and address stand together in the list %s",
			w->pairs != NULL ? w->pairs->name : "?");
		break;
	default:
		packet_term(f, w);
	}
}

static bool is_subject(const struct kd_when *w)
{
	return w->kind == KD_WHEN_TERM && (w->term == KD_TERM_PROTOCOL || w->term == KD_TERM_TRANSPORT);
}

/* The protocol or, failing that, the transport that the terms from w on ask for. */
static const struct kd_when *subject_of(const struct kd_when *w)
{
	const struct kd_when *found = NULL;

	for (; w != NULL; w = w->next)
		if (is_subject(w) && (found == NULL || w->term == KD_TERM_PROTOCOL))
			found = w;
	return found;
}

/* Without a protocol of its own a name speaks of those that have it. */
static uint64_t implied(const struct kd_when *w)
{
	for (; w != NULL; w = w->next) {
		if (w->kind == KD_WHEN_TERM && w->term == KD_TERM_NAME)
			return w->mask;
		if (w->kind == KD_WHEN_TERM && w->term == KD_TERM_FIELD)
			return 1ull << w->protocol;
	}
	return 0;
}

static void subject(FILE *f, const struct kd_when *first)
{
	const struct kd_when *said = subject_of(first);
	uint64_t mask = implied(first);
	unsigned int n = 0, of = 0;

	if (said != NULL) {
		what_of(f, said);
		return;
	}
	for (int i = 0; i < KD_PROTOCOL_COUNT; i++)
		of += mask >> i & 1;
	for (int i = 0; i < KD_PROTOCOL_COUNT; i++) {
		if ((mask >> i & 1) == 0)
			continue;
		fputs(between(n++, of), f);
		upper(f, kd_protocols[i]->name);
	}
	if (of == 0)
		fputs("anything", f);
}

static void phrase(FILE *f, const struct kd_when *w, unsigned int names)
{
	if (w->kind == KD_WHEN_TERM) {
		term(f, w, names);
		return;
	}
	if (w->kind == KD_WHEN_NOT) {
		fputs("not ", f);
		if (w->child != NULL && w->child->next == NULL && w->child->kind != KD_WHEN_ALL) {
			phrase(f, w->child, names);
			return;
		}
	}
	fputc('(', f);
	for (const struct kd_when *c = w->child; c != NULL; c = c->next) {
		phrase(f, c, names);
		if (c->next != NULL)
			fputs(w->kind == KD_WHEN_ANY ? " or " : " and ", f);
	}
	fputc(')', f);
}

/* What stands before a clause: what says more of the flow follows it closely. */
static const char *link_of(const struct kd_when *w, const struct kd_when *before)
{
	bool leaf = w->kind == KD_WHEN_TERM;

	if (!leaf)
		return before == NULL ? " " : ", ";
	if (before == NULL)
		return w->term == KD_TERM_COUNT ? ", " : " ";
	if (before->kind == KD_WHEN_TERM && before->term == KD_TERM_OPENED &&
		(w->term == KD_TERM_NAME || w->term == KD_TERM_ADDRESS))
		return " ";
	return ", ";
}

const char *kd_words_when(struct kd_arena *arena, const struct kd_when *when, unsigned int names)
{
	const struct kd_when *first, *said, *before = NULL;
	const char *text;
	char *buf = NULL;
	size_t len;
	FILE *f;

	if (when == NULL)
		return "everything";
	f = open_memstream(&buf, &len);
	if (f == NULL)
		return NULL;
	/* The clauses of the top follow what they speak of without an "and". */
	first = when->kind == KD_WHEN_ALL ? when->child : when;
	said = subject_of(first);
	subject(f, first);
	for (const struct kd_when *c = first; c != NULL; c = when->kind == KD_WHEN_ALL ? c->next : NULL) {
		if (c == said)
			continue;
		fputs(link_of(c, before), f);
		phrase(f, c, names);
		before = c;
	}
	text = fclose(f) == 0 ? kd_arena_strdup(arena, buf) : NULL;
	free(buf);
	return text;
}

const char *kd_words_to(struct kd_arena *arena, const struct kd_address_term *to)
{
	const char *text;
	char *buf = NULL;
	size_t len;
	FILE *f;

	if (to == NULL)
		return "";
	f = open_memstream(&buf, &len);
	if (f == NULL)
		return NULL;
	addresses_of(f, to);
	text = fclose(f) == 0 ? kd_arena_strdup(arena, buf) : NULL;
	free(buf);
	return text;
}
