/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes one term of a `when`: values sorted, in one spelling, quoted where they could be read as something
 * else. Lists and tags carry a digest of what is in them, signatures do not (fingerprint.c takes them up).
 * How terms stand together is when_text.c's.
 */
#include "rulebook/when_line.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define DIGEST_SHOWN 16 /* hex digits */

/* Letters that mean nothing in a line. */
static bool plain(const char *s)
{
	for (const char *p = s; *p != '\0'; p++)
		if ((*p < '0' || *p > '9') && (*p < 'a' || *p > 'z') && (*p < 'A' || *p > 'Z') &&
			strchr(".-_:/*?^", *p) == NULL)
			return false;
	return *s != '\0';
}

static void put(FILE *f, const char *s)
{
	if (plain(s)) {
		fputs(s, f);
		return;
	}
	fputc('"', f);
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			fprintf(f, "\\x%02x", (unsigned int)(unsigned char)*s);
		else
			fprintf(f, "%s%c", *s == '"' || *s == '\\' ? "\\" : "", *s);
	}
	fputc('"', f);
}

static void put_words(struct kd_line *o, const char *const *words, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		fputs(i > 0 ? " " : "", o->f);
		put(o->f, words[i]);
	}
}

static void put_list(struct kd_line *o, const struct kd_list *list)
{
	fputc('@', o->f);
	put(o->f, list->name);
	fprintf(o->f, "#%.*s", DIGEST_SHOWN, list->digest);
}

static void put_names(struct kd_line *o, const struct kd_name_term *names)
{
	for (unsigned int i = 0; i < names->own.count; i++) {
		fputs(i > 0 ? " " : "", o->f);
		put(o->f, names->own.names[i].text);
	}
	for (unsigned int i = 0; i < names->nlists; i++) {
		fputs(names->own.count + i > 0 ? " " : "", o->f);
		put_list(o, names->lists[i]);
	}
}

static int by_prefix(const void *a, const void *b)
{
	const struct kd_prefix *x = a, *y = b;
	int order = memcmp(x->addr, y->addr, sizeof(x->addr));

	if (x->v6 != y->v6)
		return x->v6 ? 1 : -1;
	return order != 0 ? order : (x->bits > y->bits) - (x->bits < y->bits);
}

/* In order, doubles gone. */
static void put_prefixes(
	struct kd_line *o, const char *before, const struct kd_prefix *prefixes, unsigned int n)
{
	struct kd_prefix *sorted = calloc(n + 1, sizeof(*sorted));
	char text[INET6_ADDRSTRLEN] = "";

	if (sorted == NULL) {
		o->failed = true;
		return;
	}
	if (n > 0) {
		memcpy(sorted, prefixes, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), by_prefix);
	}
	for (unsigned int i = 0; i < n; i++) {
		if (i > 0 && by_prefix(&sorted[i - 1], &sorted[i]) == 0)
			continue;
		inet_ntop(sorted[i].v6 ? AF_INET6 : AF_INET, sorted[i].addr, text, sizeof(text));
		fprintf(o->f, "%s%s/%u", before, text, sorted[i].bits);
		before = " ";
	}
	free(sorted);
}

/* "@cloudflare#0123456789abcdef", of its prefixes and its real list. */
static void put_tag(struct kd_line *o, const struct kd_book_tag *tag)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct kd_line inside;
	unsigned int len = 0;
	char *text = NULL;

	if (kd_line_open(&inside)) {
		put_prefixes(&inside, "", tag->lab, tag->nlab);
		if (tag->real != NULL)
			fprintf(inside.f, " #%s", tag->real->digest);
		text = kd_line_close(&inside);
	}
	if (text == NULL || EVP_Digest(text, strlen(text), digest, &len, EVP_sha256(), NULL) != 1) {
		o->failed = true;
		free(text);
		return;
	}
	free(text);
	fputc('@', o->f);
	put(o->f, tag->id);
	fputc('#', o->f);
	for (unsigned int i = 0; i < DIGEST_SHOWN / 2; i++)
		fprintf(o->f, "%02x", digest[i]);
}

static void put_addresses(struct kd_line *o, const struct kd_address_term *a)
{
	for (unsigned int i = 0; i < a->ntags; i++) {
		fputs(i > 0 ? " " : "", o->f);
		put_tag(o, a->tags[i]);
	}
	put_prefixes(o, a->ntags > 0 ? " " : "", a->own, a->nown);
}

static void put_span(FILE *f, const struct kd_when *w, const struct kd_span *s)
{
	switch (w->term) {
	case KD_TERM_HOURS: /* the end is written as a rule writes it, not included */
		fprintf(f, "%02" PRIu64 ":%02" PRIu64 "-%02" PRIu64 ":%02" PRIu64, s->lo / 60, s->lo % 60,
			(s->hi + 1) / 60, (s->hi + 1) % 60);
		return;
	case KD_TERM_FIELD:
		fprintf(f, "0x%04" PRIx64, s->lo);
		if (s->hi != s->lo)
			fprintf(f, "..0x%04" PRIx64, s->hi);
		return;
	case KD_TERM_PORT:
		fprintf(f, "%" PRIu64, s->lo);
		if (s->hi != s->lo)
			fprintf(f, "-%" PRIu64, s->hi);
		return;
	default:
		fprintf(f, "%" PRIu64, s->lo);
		if (s->hi == UINT64_MAX)
			fputs("..", f);
		else if (s->hi != s->lo)
			fprintf(f, "..%" PRIu64, s->hi);
	}
}

static void put_digit(FILE *f, unsigned int digit, unsigned int mask)
{
	fputc(mask != 0 ? "0123456789abcdef"[digit] : '?', f);
}

static void put_run(FILE *f, const struct kd_byte_run *run)
{
	fprintf(f, "%" PRIu32 ":", run->offset);
	for (uint32_t i = 0; i < run->len; i++) {
		put_digit(f, run->bytes[i] >> 4, run->mask[i] >> 4);
		put_digit(f, run->bytes[i] & 0xf, run->mask[i] & 0xf);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All of them are asked for, so in any order. */
static void put_runs(struct kd_line *o, const struct kd_when *w)
{
	char **texts = calloc(w->nruns + 1, sizeof(*texts));

	o->failed = o->failed || texts == NULL;
	for (unsigned int i = 0; texts != NULL && i < w->nruns; i++) {
		struct kd_line one;

		if (kd_line_open(&one)) {
			put_run(one.f, &w->runs[i]);
			texts[i] = kd_line_close(&one);
		}
		o->failed = o->failed || texts[i] == NULL;
	}
	if (!o->failed) {
		qsort(texts, w->nruns, sizeof(*texts), by_text);
		for (unsigned int i = 0; i < w->nruns; i++)
			if (i == 0 || strcmp(texts[i - 1], texts[i]) != 0)
				fprintf(o->f, "%s%s", i > 0 ? " " : "", texts[i]);
	}
	for (unsigned int i = 0; texts != NULL && i < w->nruns; i++)
		free(texts[i]);
	free(texts);
}

/* A '|'-list of words by the bits of a mask. */
static void put_mask(FILE *f, uint64_t mask, const char *words, const char *between)
{
	bool first = true;
	size_t n;

	for (unsigned int i = 0; *words != '\0'; i++, words += n + (words[n] == '|')) {
		n = strcspn(words, "|");
		if ((mask >> i & 1) == 0)
			continue;
		fprintf(f, "%s%.*s", first ? "" : between, (int)n, words);
		first = false;
	}
}

static void put_number(FILE *f, const char *key, const struct kd_book_number *n)
{
	char value[KD_UNITS_TEXT], lo[KD_UNITS_TEXT], hi[KD_UNITS_TEXT];

	if (n->text == NULL)
		return;
	kd_units_text(value, n->kind, n->n.value);
	fprintf(f, " %s=%s", key, value);
	if (!n->n.ranged)
		return;
	kd_units_text(lo, n->kind, n->n.lo);
	kd_units_text(hi, n->kind, n->n.hi);
	fprintf(f, " (%s..%s)", lo, hi);
}

static void put_values(struct kd_line *o, const struct kd_when *w)
{
	switch (w->term) {
	case KD_TERM_TRANSPORT:
		put_mask(o->f, w->mask, "tcp|udp|icmp|other", " ");
		return;
	case KD_TERM_NAME:
		put_names(o, &w->names);
		return;
	case KD_TERM_OPENED:
	case KD_TERM_FROM:
		fputs(w->of == KD_INSIDE ? "inside" : "outside", o->f);
		return;
	case KD_TERM_ADDRESS:
		put_addresses(o, &w->addresses);
		return;
	case KD_TERM_BYTES:
		put_runs(o, w);
		return;
	case KD_TERM_CLASSIFIED:
		fputs("none", o->f);
		return;
	case KD_TERM_PAIRS:
		if (w->pairs != NULL)
			put_list(o, w->pairs);
		return;
	case KD_TERM_COUNT:
		fputs("key=", o->f);
		put_mask(o->f, w->count.keys, KD_KEY_WORDS, "+");
		put_number(o->f, "window", &w->count.window);
		put_number(o->f, "spacing", &w->count.spacing);
		put_number(o->f, "more_than", &w->count.more_than);
		return;
	default:
		put_words(o, w->words, w->nwords);
		for (unsigned int i = 0; i < w->nspans; i++) {
			fputs(i > 0 ? " " : "", o->f);
			put_span(o->f, w, &w->spans[i]);
		}
	}
}

/* Only what can be several values stands in brackets. */
void kd_line_term(struct kd_line *o, const struct kd_when *w)
{
	bool one = w->term == KD_TERM_OPENED || w->term == KD_TERM_FROM || w->term == KD_TERM_CLASSIFIED ||
		   w->term == KD_TERM_PAIRS || w->term == KD_TERM_ALREADY ||
		   (w->term == KD_TERM_PROTOCOL && w->nwords == 1);

	fprintf(o->f, "%s=%s", w->key, one ? "" : "[");
	put_values(o, w);
	fputs(one ? "" : "]", o->f);
}
