/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names the entry of a policy's matchers, and takes them out of the cache or puts them there. Lists count by
 * their digest, so their lines need not be read to know the key.
 */
#include "rulebook/frozen.h"

#include "rulebook/sets_parts.h"

#include "kd_version.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum part { NAMES = 0, PREFIXES = KD_NAMES_PARTS, PATTERNS = PREFIXES + KD_PREFIXES_PARTS, PARTS };

_Static_assert((int)PARTS <= KD_CACHE_PARTS, "an entry holds them all");

bool kd_frozen_worth(const struct kd_sets *s)
{
	if (s->book->cache == NULL)
		return false;
	for (unsigned int i = 0; i < s->book->nlists; i++)
		if (s->book->lists[i]->text != NULL)
			return true;
	return false;
}

struct hasher {
	EVP_MD_CTX *ctx;
	bool failed;
};

static void put(struct hasher *h, const void *bytes, size_t len)
{
	if (EVP_DigestUpdate(h->ctx, &len, sizeof(len)) != 1 || EVP_DigestUpdate(h->ctx, bytes, len) != 1)
		h->failed = true;
}

static void put_text(struct hasher *h, const char *text)
{
	put(h, text, strlen(text));
}

static void put_name(struct hasher *h, const struct kd_name *name)
{
	put_text(h, name->text);
	put(h, &name->what, sizeof(name->what));
	put_text(h, name->expr != NULL ? name->expr : "");
}

static void put_prefixes(struct hasher *h, const struct kd_prefix *p, unsigned int n)
{
	put(h, &n, sizeof(n));
	for (unsigned int i = 0; i < n; i++) {
		const uint8_t head[2] = {p[i].bits, p[i].v6};

		put(h, head, sizeof(head));
		put(h, p[i].addr, p[i].v6 ? 16 : 4);
	}
}

static void put_names_of(struct hasher *h, const struct kd_name_source *from)
{
	put_text(h, "names");
	for (unsigned int i = 0; i < from->npaired; i++)
		put_name(h, from->paired[i]);
	if (from->term == NULL)
		return;
	put_text(h, "own");
	for (unsigned int i = 0; i < from->term->own.count; i++)
		put_name(h, &from->term->own.names[i]);
	put_text(h, "lists");
	for (unsigned int i = 0; i < from->term->nlists; i++)
		put_text(h, from->term->lists[i]->digest);
}

static void put_prefixes_of(struct hasher *h, const struct kd_address_term *term, bool real)
{
	put_text(h, "prefixes");
	put_prefixes(h, term->own, term->nown);
	for (unsigned int i = 0; i < term->ntags; i++) {
		put_prefixes(h, term->tags[i]->lab, term->tags[i]->nlab);
		put_text(h, real && term->tags[i]->real != NULL ? term->tags[i]->real->digest : "");
	}
}

static void put_parts(struct hasher *h, const struct kd_cache_part *parts, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		put(h, parts[i].bytes, parts[i].len);
}

/* What tiny matchers look like frozen: another layout or another hash makes another key, whatever the
 * version. */
static int put_layout(struct hasher *h)
{
	static const uint8_t addr[4] = {198, 18, 0, 0};
	struct kd_cache_part parts[KD_NAMES_PARTS > KD_PREFIXES_PARTS ? KD_NAMES_PARTS : KD_PREFIXES_PARTS];
	struct kd_names_builder *nb = kd_names_builder_new();
	struct kd_prefixes_builder *pb = kd_prefixes_builder_new();
	struct kd_prefixes *prefixes = NULL;
	struct kd_names *names = NULL;
	int rc = nb != NULL && pb != NULL ? 0 : -ENOMEM;

	if (rc == 0)
		rc = kd_names_add(nb, "a.example", 9, KD_NAME_SELF, 1);
	if (rc == 0)
		rc = kd_prefixes_add(pb, addr, false, 15, 1);
	/* There is no other way to free a builder than to build it. */
	if (nb != NULL && kd_names_build(&names, nb) < 0)
		rc = -ENOMEM;
	if (pb != NULL && kd_prefixes_build(&prefixes, pb) < 0)
		rc = -ENOMEM;
	if (rc == 0) {
		kd_names_freeze(names, parts);
		put_parts(h, parts, KD_NAMES_PARTS);
		kd_prefixes_freeze(prefixes, parts);
		put_parts(h, parts, KD_PREFIXES_PARTS);
	}
	kd_names_free(names);
	kd_prefixes_free(prefixes);
	return rc;
}

int kd_frozen_key(char ret[KD_CACHE_KEY], const struct kd_sets *s)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct hasher h = {.ctx = EVP_MD_CTX_new()};
	char platform[KD_PATTERNS_PLATFORM];
	unsigned int len = 0;

	if (h.ctx == NULL)
		return -ENOMEM;
	if (EVP_DigestInit_ex(h.ctx, EVP_sha256(), NULL) != 1)
		h.failed = true;
	kd_patterns_platform(platform);
	put_text(&h, "kordon matchers 1");
	put_text(&h, KD_VERSION);
	put_text(&h, platform);
	if (put_layout(&h) < 0)
		h.failed = true;
	for (unsigned int i = 1; i <= s->nnames; i++)
		put_names_of(&h, &s->names[i]);
	for (unsigned int i = 1; i <= s->nprefixes; i++)
		put_prefixes_of(&h, &s->prefixes[i].term, s->real);
	if (EVP_DigestFinal_ex(h.ctx, digest, &len) != 1 || len != 32)
		h.failed = true;
	EVP_MD_CTX_free(h.ctx);
	if (h.failed)
		return -ENOMEM;
	for (unsigned int i = 0; i < 32; i++)
		snprintf(ret + 2 * (size_t)i, 3, "%02x", digest[i]);
	return 0;
}

int kd_frozen_load(struct kd_sets *s, const char key[KD_CACHE_KEY])
{
	struct kd_cache_part parts[PARTS];
	struct kd_patterns *patterns = NULL;
	struct kd_prefixes *prefixes = NULL;
	struct kd_names *names = NULL;
	struct kd_cache_entry *e;
	int rc = kd_cache_load(&e, s->book->cache, key);

	if (rc < 0)
		return rc;
	for (unsigned int i = 0; i < PARTS; i++)
		parts[i] = kd_cache_part(e, i);
	if (parts[NAMES].len > 0)
		rc = kd_names_thaw(&names, parts + NAMES);
	if (rc == 0 && parts[PREFIXES].len > 0)
		rc = kd_prefixes_thaw(&prefixes, parts + PREFIXES);
	if (rc == 0 && parts[PATTERNS].len > 0)
		rc = kd_patterns_thaw(&patterns, parts[PATTERNS].bytes, parts[PATTERNS].len);
	if (rc < 0) {
		kd_names_free(names);
		kd_prefixes_free(prefixes);
		kd_cache_free(e);
		return rc == -ENOMEM ? rc : -ENOENT;
	}
	s->policy->names = names;
	s->policy->prefixes = prefixes;
	s->policy->name_patterns = patterns;
	s->policy->cached = e;
	return 0;
}

void kd_frozen_store(const struct kd_sets *s, const char key[KD_CACHE_KEY])
{
	const struct kd_policy *p = s->policy;
	struct kd_cache_part parts[PARTS] = {{NULL, 0}};
	char *bytes = NULL;
	size_t len = 0;

	if (p->names != NULL)
		kd_names_freeze(p->names, parts + NAMES);
	if (p->prefixes != NULL)
		kd_prefixes_freeze(p->prefixes, parts + PREFIXES);
	if (p->name_patterns != NULL && kd_patterns_freeze(p->name_patterns, &bytes, &len) < 0)
		return;
	parts[PATTERNS] = (struct kd_cache_part){bytes, len};
	(void)kd_cache_store(s->book->cache, key, parts, PARTS);
	free(bytes);
}
