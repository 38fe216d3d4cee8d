/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Holds a `when` that was read without a mistake against itself: terms that cannot hold together, by what the
 * protocols and signatures say of themselves, and terms that stand where they never hold. It follows all and
 * any; what stands in a `not` is only held against its own. Nothing is concluded from what is only announced.
 */
#include "rulebook/when.h"

#include "engine/fake.h"
#include "engine/protocol.h"

#include <stdio.h>
#include <string.h>

#define ALL_TRANSPORTS (KD_TRANSPORT_TCP | KD_TRANSPORT_UDP | KD_TRANSPORT_ICMP | KD_TRANSPORT_OTHER)
/* Kinds of fakes that packets of other protocols than TCP can be too. */
#define FAKES_OF_ANY (1u << KD_FAKE_CHECKSUM | 1u << KD_FAKE_TTL | 1u << KD_FAKE_IP_ID)
#define ALL_PROTOCOLS ((1ull << KD_PROTOCOL_COUNT) - 1)

_Static_assert(KD_PROTOCOL_COUNT < 64, "a mask of protocols has room");

struct check {
	struct kd_book *book;
	unsigned int phase;
};

/* What the terms so far, all of which must hold, leave of a packet; and the last that narrowed each. */
struct facts {
	uint64_t protocols;
	uint8_t transports;
	bool announced; /* one of them is of protocols that do not exist yet */
	const struct kd_when *protocol, *transport, *recognised, *classified;
};

static const struct facts nothing = {.protocols = ALL_PROTOCOLS, .transports = ALL_TRANSPORTS};

/* Two terms that exclude each other; `why` may be NULL. */
static void exclude(const struct check *c, const struct kd_when *w, const struct kd_when *before,
	const char *what, const char *why)
{
	kd_diag(c->book->diags, KD_DIAG_ERROR, w->at.file, w->at.line, w->at.path, why,
		"\"%s\" beside \"%s\": %s", w->key, before->key, what);
}

/* The protocols a term is of; 0: of none in particular, or of none that exists. */
static uint64_t protocols_of(const struct kd_when *w)
{
	switch (w->term) {
	case KD_TERM_PROTOCOL:
	case KD_TERM_NAME:
		return w->mask;
	case KD_TERM_FIELD:
		return 1ull << w->protocol;
	default:
		return 0;
	}
}

static bool is_announced(const struct kd_when *w)
{
	return w->term == KD_TERM_PROTOCOL && w->nwords != (unsigned int)__builtin_popcountll(w->mask);
}

static bool is_recognised(const struct kd_when *w)
{
	return w->term == KD_TERM_PROTOCOL || w->term == KD_TERM_NAME || w->term == KD_TERM_FIELD ||
	       w->term == KD_TERM_PAIRS;
}

static uint8_t of_signatures(const struct kd_book *book, const struct kd_when *w)
{
	uint8_t mask = 0;

	for (unsigned int i = 0; i < w->nwords; i++)
		for (unsigned int k = 0; k < book->nsignatures; k++)
			if (strcmp(book->signatures[k].id, w->words[i]) == 0)
				mask |= book->signatures[k].transports;
	return mask;
}

/* The transports on which a term can hold. */
static uint8_t transports_of(const struct kd_book *book, const struct kd_when *w)
{
	uint64_t protocols = is_announced(w) ? 0 : protocols_of(w);
	uint8_t mask = 0;

	if (w->term == KD_TERM_TRANSPORT)
		return (uint8_t)w->mask;
	if (w->term == KD_TERM_PORT)
		return KD_TRANSPORT_TCP | KD_TRANSPORT_UDP;
	if (w->term == KD_TERM_FAKE && (w->mask & FAKES_OF_ANY) == 0)
		return KD_TRANSPORT_TCP;
	if (w->term == KD_TERM_SIGNATURE)
		mask = of_signatures(book, w);
	for (unsigned int i = 0; i < KD_PROTOCOL_COUNT; i++)
		if ((protocols >> i & 1) != 0)
			mask |= kd_protocols[i]->transports;
	return mask != 0 ? mask : ALL_TRANSPORTS;
}

uint8_t kd_when_transports(const struct kd_book *book, const struct kd_when *when)
{
	uint8_t mask;

	if (when == NULL || when->kind == KD_WHEN_NOT)
		return ALL_TRANSPORTS;
	if (when->kind == KD_WHEN_TERM)
		return transports_of(book, when);
	mask = when->kind == KD_WHEN_ALL ? ALL_TRANSPORTS : 0;
	for (const struct kd_when *w = when->child; w != NULL; w = w->next) {
		uint8_t one = kd_when_transports(book, w);

		mask = when->kind == KD_WHEN_ALL ? mask & one : mask | one;
	}
	return mask;
}

static const char *over(uint8_t transports)
{
	return transports == KD_TRANSPORT_TCP	? "TCP"
	       : transports == KD_TRANSPORT_UDP ? "UDP"
						: "TCP and UDP";
}

/* "tls runs over TCP": why a term asks for a transport. */
static void why_transport(const struct check *c, char *buf, size_t room, const struct kd_when *w)
{
	uint64_t protocols = protocols_of(w);
	size_t len = 0;

	buf[0] = '\0';
	if (w->term == KD_TERM_PORT)
		snprintf(buf, room, "ports are of TCP and UDP");
	if (w->term == KD_TERM_FAKE)
		snprintf(buf, room, "such fakes are of TCP");
	if (w->term == KD_TERM_SIGNATURE)
		snprintf(buf, room, "\"%s\" is a signature of %s", w->words[0],
			over(of_signatures(c->book, w)));
	for (unsigned int i = 0; i < KD_PROTOCOL_COUNT && len < room; i++)
		if ((protocols >> i & 1) != 0)
			len += (size_t)snprintf(buf + len, room - len, "%s%s runs over %s",
				len > 0 ? ", " : "", kd_protocols[i]->name,
				over(kd_protocols[i]->transports));
}

static void hold_transports(const struct check *c, struct facts *f, const struct kd_when *w)
{
	uint8_t mask = transports_of(c->book, w);
	char why[256];

	if (mask == ALL_TRANSPORTS)
		return;
	if ((f->transports & mask) == 0) {
		why_transport(c, why, sizeof(why), w->term == KD_TERM_TRANSPORT ? f->transport : w);
		exclude(c, w, f->transport, "no packet is both", why[0] != '\0' ? why : NULL);
		return;
	}
	f->transports &= mask;
	f->transport = w;
}

static void hold_protocols(const struct check *c, struct facts *f, const struct kd_when *w)
{
	uint64_t mask = protocols_of(w);
	char hint[160];

	if (f->announced || mask == 0)
		return;
	if ((f->protocols & mask) == 0) {
		snprintf(hint, sizeof(hint), "either of them: any = ( { %s = ...; }, { %s = ...; } )",
			f->protocol->key, w->key);
		exclude(c, w, f->protocol, "no protocol has both", hint);
		return;
	}
	f->protocols &= mask;
	f->protocol = w;
}

static void hold_classified(const struct check *c, struct facts *f, const struct kd_when *w)
{
	static const char why[] = "classified = \"none\" is of flows in which nothing was recognised";

	if (w->term == KD_TERM_CLASSIFIED && f->classified == NULL) {
		f->classified = w;
		if (f->recognised != NULL)
			exclude(c, w, f->recognised, "no packet is both", why);
	} else if (is_recognised(w) && f->recognised == NULL) {
		f->recognised = w;
		if (f->classified != NULL)
			exclude(c, w, f->classified, "no packet is both", why);
	}
}

static void hold(const struct check *c, struct facts *f, const struct kd_when *w)
{
	hold_protocols(c, f, w);
	hold_transports(c, f, w);
	hold_classified(c, f, w);
}

/* In `addresses` a flow's first packet is seen and no payload. */
static void placed(const struct check *c, const struct kd_when *w)
{
	bool payload = is_recognised(w) || w->term == KD_TERM_SIGNATURE || w->term == KD_TERM_LENGTH ||
		       w->term == KD_TERM_BYTES || w->term == KD_TERM_NTH || w->term == KD_TERM_FAKE;

	if (payload && c->phase == KD_PHASE_ADDRESSES)
		kd_diag(c->book->diags, KD_DIAG_ERROR, w->at.file, w->at.line, w->at.path,
			"its rules are asked once, at the first packet of a flow, and see no payload",
			"\"%s\" never holds in the phase addresses", w->key);
}

/* The terms of a conjunction one after the other, those of groups in it too. */
static void each(const struct check *c, struct facts *f, const struct kd_when *w,
	void (*hold_one)(const struct check *c, struct facts *f, const struct kd_when *w))
{
	if (w->kind == KD_WHEN_TERM)
		hold_one(c, f, w);
	if (w->kind != KD_WHEN_ALL)
		return;
	for (w = w->child; w != NULL; w = w->next)
		each(c, f, w, hold_one);
}

static void announced(const struct check *c, struct facts *f, const struct kd_when *w)
{
	(void)c;
	f->announced = f->announced || is_announced(w);
}

static void place(const struct check *c, struct facts *f, const struct kd_when *w)
{
	(void)f;
	placed(c, w);
}

static void conjunction(const struct check *c, struct facts f, const struct kd_when *w);

/* What stands in it and is no term. */
static void inner(const struct check *c, const struct facts *f, const struct kd_when *w)
{
	for (const struct kd_when *child = w->child; child != NULL; child = child->next) {
		if (w->kind == KD_WHEN_ALL)
			inner(c, f, child);
		else
			conjunction(c, w->kind == KD_WHEN_ANY ? *f : nothing, child);
	}
}

static void conjunction(const struct check *c, struct facts f, const struct kd_when *w)
{
	each(c, &f, w, announced);
	each(c, &f, w, hold);
	inner(c, &f, w);
}

static void counted(const struct check *c, const struct kd_when *w)
{
	const struct kd_count_term *t = &w->count;

	for (const struct kd_when *child = w->child; child != NULL; child = child->next)
		counted(c, child);
	if (w->kind != KD_WHEN_TERM || w->term != KD_TERM_COUNT)
		return;
	if (t->spacing.text != NULL && t->window.text != NULL && t->spacing.n.value > t->window.n.value)
		kd_diag(c->book->diags, KD_DIAG_ERROR, w->at.file, w->at.line, w->at.path,
			"expected a spacing within the window, or none",
			"a spacing of \"%.80s\" in a window of \"%.80s\"", t->spacing.text, t->window.text);
}

void kd_when_check(struct kd_book *book, const struct kd_book_rule *rule, const struct kd_when *when)
{
	const struct check c = {.book = book, .phase = rule->phase};
	struct facts none = nothing;

	if (when == NULL)
		return;
	each(&c, &none, when, place);
	counted(&c, when);
	conjunction(&c, nothing, when);
}
