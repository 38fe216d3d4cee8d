/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes a canonical text of what was picked into SHA-256: the rules as written and as drawn. Names of
 * protocols, options and settings stand in it, never their numbers, which move when a list grows.
 */
#include "rulebook/fingerprint.h"

#include "rulebook/announced.h"
#include "rulebook/setting.h"
#include "rulebook/when.h"

#include "engine/protocol.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

struct hasher {
	EVP_MD_CTX *ctx;
	const struct kd_picked *picked;
	const struct kd_policy *policy;
	struct kd_arena *scratch;
	bool *tags; /* of the book: in use */
	bool failed;
};

static void put(struct hasher *h, const char *text)
{
	/* With its end, so that neighbours cannot trade letters. */
	if (text == NULL)
		text = "-";
	if (EVP_DigestUpdate(h->ctx, text, strlen(text) + 1) != 1)
		h->failed = true;
}

static void put_number(struct hasher *h, uint64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, v);
	put(h, text);
}

static void put_protocols(struct hasher *h, uint64_t mask)
{
	if (mask == UINT64_MAX) {
		put(h, "all");
		return;
	}
	for (int i = 0; i < KD_PROTOCOL_COUNT; i++)
		if (mask >> i & 1)
			put(h, kd_protocols[i]->name);
	for (int i = KD_PROTOCOL_COUNT; i < 64 && mask >> i != 0; i++)
		if (mask >> i & 1)
			put(h, kd_announced_protocols[i - KD_PROTOCOL_COUNT].name);
}

static void put_prefixes(struct hasher *h, const struct kd_prefix *p, unsigned int n)
{
	char text[2 * sizeof(p->addr) + 8];

	for (unsigned int i = 0; i < n; i++) {
		unsigned int bytes = (p[i].bits + 7u) / 8, at = 0;

		for (unsigned int b = 0; b < bytes && b < sizeof(p->addr); b++)
			at += (unsigned int)snprintf(text + at, sizeof(text) - at, "%02x", p[i].addr[b]);
		snprintf(text + at, sizeof(text) - at, "%s%u", p[i].v6 ? "//" : "/", p[i].bits);
		put(h, text);
	}
}

static void use_tags(struct hasher *h, const struct kd_address_term *term)
{
	const struct kd_book *book = h->picked->book;

	for (unsigned int i = 0; i < term->ntags; i++)
		for (unsigned int t = 0; t < book->ntags; t++)
			if (strcmp(book->tags[t].id, term->tags[i]->id) == 0)
				h->tags[t] = true;
}

static void tags_of(struct hasher *h, const struct kd_when *when)
{
	for (; when != NULL; when = when->next) {
		tags_of(h, when->child);
		if (when->kind == KD_WHEN_TERM && when->term == KD_TERM_ADDRESS)
			use_tags(h, &when->addresses);
	}
}

static void put_value(struct hasher *h, const char *draw, const struct kd_book_number *n)
{
	if (n->text == NULL)
		return;
	put(h, n->key);
	put_number(h, kd_sample_number(&h->picked->sample, draw, n->key, &n->n));
}

static void put_residual(struct hasher *h, const struct kd_residual *r)
{
	if (!r->given)
		return;
	put(h, "residual");
	put(h, r->key);
	put(h, r->whom);
	put(h, r->restart);
	put_number(h, r->nprotocols);
	for (unsigned int i = 0; i < r->nprotocols; i++)
		put(h, r->protocols[i]);
}

/* `flap` as in struct kd_rule. */
static void put_flap(struct hasher *h, const char *draw, uint8_t flap)
{
	if (flap == 0)
		return;
	put(h, "flap");
	put(h, draw);
	put_number(h, h->policy->flaps[flap - 1].time_ns);
}

static void put_rule(struct hasher *h, const struct kd_picked_rule *p, const struct kd_rule *compiled)
{
	const struct kd_book_rule *r = p->rule, *b = p->body;
	const char *when = kd_when_text(h->scratch, b->when);

	if (when == NULL)
		h->failed = true;
	tags_of(h, b->when);
	put(h, "rule");
	put(h, r->id);
	put(h, r->scope.since_text);
	put(h, r->scope.until_text);
	put(h, kd_phase_name(r->phase));
	put(h, when);
	put(h, b->mechanism);
	put(h, b->then);
	for (unsigned int i = 0; i < KD_PHASE_COUNT; i++)
		if ((b->closes >> i & 1) != 0)
			put(h, kd_phase_name(i));
	put_residual(h, &b->residual);
	put(h, b->pending);
	/* The rule of `else` by its name, and only if it is there to be tried. */
	put(h, compiled->other != 0 ? b->other : NULL);
	for (unsigned int i = 0; i < b->nnumbers; i++)
		if (kd_picked_counts(b, &b->numbers[i]))
			put_value(h, r->draw, &b->numbers[i]);
	put_number(h, compiled->presence);
	if (compiled->presence != UINT64_MAX)
		put(h, r->draw);
	put_flap(h, r->draw, compiled->flap);
	put_number(h, compiled->miss);
	for (unsigned int i = 0; i < KD_PART_COUNT; i++) {
		put(h, kd_grade_name(b->evidence.grade[i]));
		put(h, b->evidence.claims[i]);
	}
}

static void put_knob(struct hasher *h, const struct kd_book_knob *b, const struct kd_knob *k)
{
	put(h, "knob");
	put(h, k->name);
	put(h, k->value);
	put_number(h, k->share);
	if (k->share != UINT64_MAX)
		put(h, b->draw);
	put_flap(h, b != NULL ? b->draw : NULL, k->flap);
	put_protocols(h, k->protocols);
	if (b == NULL || b->to == NULL)
		return;
	put(h, "to");
	for (unsigned int i = 0; i < b->to->ntags; i++)
		put(h, b->to->tags[i]->id);
	put_prefixes(h, b->to->own, b->to->nown);
	use_tags(h, b->to);
}

static void put_tags(struct hasher *h)
{
	const struct kd_book *book = h->picked->book;

	for (unsigned int i = 0; i < book->ntags; i++) {
		const struct kd_book_tag *t = &book->tags[i];

		if (!h->tags[i])
			continue;
		put(h, "tag");
		put(h, t->id);
		put_prefixes(h, t->lab, t->nlab);
		put(h, t->real != NULL ? t->real->digest : NULL);
	}
}

static void put_box(struct hasher *h, const struct kd_book_box *b, const struct kd_box *box)
{
	put(h, "box");
	put(h, b->id);
	put_number(h, b->sees);
	for (unsigned int i = 0; i < KD_PHASE_COUNT; i++)
		if ((b->phases >> i & 1) != 0)
			put(h, kd_phase_name(i));
	put_protocols(h, b->protocols);
	put_number(h, box->number);
	put_number(h, box->of);
}

static void put_all(struct hasher *h, const struct kd_policy *policy)
{
	const struct kd_picked *picked = h->picked;
	const struct kd_book *book = picked->book;
	uint64_t value;

	put(h, "kordon policy 2");
	put_box(h, picked->box, &policy->box);
	for (uint32_t i = 1; i <= policy->nrules; i++)
		put_rule(h, &picked->rules[i], &policy->rules[i]);
	for (uint32_t i = 0; i < policy->nknobs; i++)
		put_knob(h, picked->knobs[i], &policy->knobs[i]);
	put_tags(h);
	for (unsigned int i = 0; i < book->nsignatures; i++) {
		put(h, "signature");
		put(h, book->signatures[i].id);
		put(h, book->signatures[i].pattern);
		put_number(h, book->signatures[i].transports);
	}
	for (unsigned int i = 0; i < KD_SETTING_COUNT; i++) {
		memcpy(&value, (const char *)&policy->settings + kd_setting_rows[i].offset, sizeof(value));
		if (value == 0) /* what is off is as if it was not there */
			continue;
		put(h, kd_setting_rows[i].key);
		put_number(h, value);
	}
}

static void put_hex(char ret[65], const unsigned char digest[32])
{
	for (unsigned int i = 0; i < 32; i++)
		snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

int kd_fingerprint(char ret[65], const struct kd_picked *picked, const struct kd_policy *policy)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct hasher h = {
		.picked = picked, .policy = policy, .ctx = EVP_MD_CTX_new(), .scratch = kd_arena_new()};
	unsigned int len = 0;

	if (h.scratch != NULL)
		h.tags = kd_arena_alloc(h.scratch, picked->book->ntags * sizeof(*h.tags));
	h.failed = h.ctx == NULL || h.tags == NULL;
	if (!h.failed && EVP_DigestInit_ex(h.ctx, EVP_sha256(), NULL) != 1)
		h.failed = true;
	if (!h.failed)
		put_all(&h, policy);
	if (!h.failed && (EVP_DigestFinal_ex(h.ctx, digest, &len) != 1 || len != 32))
		h.failed = true;
	EVP_MD_CTX_free(h.ctx);
	kd_arena_free(h.scratch);
	if (h.failed)
		return -ENOMEM;
	put_hex(ret, digest);
	return 0;
}

int kd_fingerprint_boxes(char ret[65], struct kd_policy *const *boxes, unsigned int n)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	char all[KD_BOXES_MAX * 64 + 1] = "";
	unsigned int len = 0;

	for (unsigned int i = 0; i < n; i++)
		memcpy(all + (size_t)i * 64, boxes[i]->hash, 64);
	if (n == 1) {
		memcpy(ret, all, 65);
		return 0;
	}
	if (EVP_Digest(all, (size_t)n * 64, digest, &len, EVP_sha256(), NULL) != 1 || len != 32)
		return -ENOMEM;
	put_hex(ret, digest);
	return 0;
}
