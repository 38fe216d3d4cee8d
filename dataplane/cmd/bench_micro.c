/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon bench micro: what large lists cost a policy: building and looking up names and prefixes, beside
 * Hyperscan's literals for the same names, and loading a rulebook of them cold and from the cache. Names are
 * made up from a seed; nothing of them is real. Each figure is the median of three, one after the other.
 */
#include <errno.h>
#include <ftw.h>
#include <hs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd/bench.h"
#include "cmd/cmd.h"
#include "engine/rng.h"
#include "rulebook/diag.h"
#include "rulebook/names.h"
#include "rulebook/prefixes.h"

#define TIMES 3
#define QUERIES 1000000u
#define HITS_OF_5 1 /* one query in five is a listed name or stands below one */
#define NAME_ROOM 80

struct names {
	char (*text)[NAME_ROOM]; /* n listed, then QUERIES queries */
	uint32_t n;
};

struct micro {
	const struct kd_bench_micro *what;
	struct names names;
	uint8_t (*prefix)[5]; /* address, bits */
	double names_build_ms, names_bytes, names_ns, few_ns;
	double prefixes_build_ms, prefixes_bytes, prefixes_ns;
	double literals_build_ms, literals_bytes, literals_ns;
	double cold_ms, cached_ms;
	uint64_t sink; /* answers, so that no look-up is left out */
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v)
{
	qsort(v, TIMES, sizeof(*v), by_value);
	return v[TIMES / 2];
}

/* --- made-up names: labels of 3 to 14 letters, a third with a label before the registered one */

static size_t label(char *to, uint64_t *seed)
{
	size_t len = 3 + (size_t)((*seed = kd_mix(*seed, 1)) % 12);

	for (size_t i = 0; i < len; i++)
		to[i] = (char)('a' + (*seed = kd_mix(*seed, i + 2)) % 26);
	return len;
}

static void name(char to[NAME_ROOM], uint64_t seed)
{
	static const char *const ends[] = {
		"com", "org", "net", "info", "ru", "co.uk", "io", "de", "xyz", "online"};
	size_t at = 0;

	if (kd_mix(seed, 77) % 3 == 0) {
		at = label(to, &seed);
		to[at++] = '.';
	}
	at += label(to + at, &seed);
	snprintf(to + at, NAME_ROOM - at, ".%s", ends[kd_mix(seed, 78) % 10]);
}

static int make_names(struct names *n, uint32_t count)
{
	char below[NAME_ROOM];

	n->n = count;
	n->text = malloc(((size_t)count + QUERIES) * NAME_ROOM);
	if (n->text == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		name(n->text[i], i);
	for (uint32_t i = 0; i < QUERIES; i++) {
		char *to = n->text[count + i];

		if (i % 5 >= HITS_OF_5) {
			name(to, (1ull << 40) + i);
			continue;
		}
		snprintf(below, sizeof(below), "%s", n->text[kd_mix(i, 3) % count]);
		snprintf(to, NAME_ROOM, "%s%.75s", i % 2 != 0 ? "www." : "", below);
	}
	return 0;
}

static int build_names(struct kd_names **ret, const struct names *n, uint32_t count)
{
	struct kd_names_builder *b = kd_names_builder_new();
	int rc = b != NULL ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < count && rc == 0; i++)
		rc = kd_names_add(b, n->text[i], strlen(n->text[i]), KD_NAME_SELF | KD_NAME_BELOW, 1);
	if (b == NULL)
		return rc;
	if (rc == 0)
		return kd_names_build(ret, b);
	if (kd_names_build(ret, b) == 0)
		kd_names_free(*ret);
	return rc;
}

static double look_up_names(struct micro *m, const struct kd_names *names)
{
	struct kd_set_bits bits = {0};
	double start = now_ms();

	for (uint32_t i = 0; i < QUERIES; i++) {
		const char *q = m->names.text[m->names.n + i];

		kd_names_match(names, (const uint8_t *)q, strlen(q), &bits);
	}
	m->sink += bits.word[0];
	return (now_ms() - start) * 1e6 / QUERIES;
}

static int measure_names(struct micro *m)
{
	double build[TIMES], ns[TIMES], few[TIMES], start;
	struct kd_names *names;
	int rc;

	for (unsigned int t = 0; t < TIMES; t++) {
		start = now_ms();
		rc = build_names(&names, &m->names, m->names.n);
		if (rc < 0)
			return rc;
		build[t] = now_ms() - start;
		m->names_bytes = (double)kd_names_bytes(names) / (double)kd_names_count(names);
		ns[t] = look_up_names(m, names);
		kd_names_free(names);
		rc = build_names(&names, &m->names, m->names.n < 10000 ? m->names.n : 10000);
		if (rc < 0)
			return rc;
		few[t] = look_up_names(m, names);
		kd_names_free(names);
	}
	m->names_build_ms = median(build);
	m->names_ns = median(ns);
	m->few_ns = median(few);
	return 0;
}

/* --- made-up prefixes: two thirds /24, the rest /16 to /32 */

static int make_prefixes(struct micro *m)
{
	uint32_t n = m->what->prefixes;

	m->prefix = malloc((size_t)n * sizeof(*m->prefix));
	if (m->prefix == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t r = kd_mix(i, 11);
		uint32_t bits = r % 3 != 0 ? 24 : 16 + (uint32_t)(r >> 8) % 17;
		uint32_t addr = (uint32_t)(r >> 32) & (uint32_t)(UINT64_MAX << (32 - bits));

		for (unsigned int k = 0; k < 4; k++)
			m->prefix[i][k] = (uint8_t)(addr >> (24 - 8 * k));
		m->prefix[i][4] = (uint8_t)bits;
	}
	return 0;
}

static int measure_prefixes(struct micro *m)
{
	double build[TIMES], ns[TIMES], start;
	struct kd_prefixes *p;
	int rc;

	for (unsigned int t = 0; t < TIMES; t++) {
		struct kd_prefixes_builder *b = kd_prefixes_builder_new();

		if (b == NULL)
			return -ENOMEM;
		start = now_ms();
		rc = 0;
		for (uint32_t i = 0; i < m->what->prefixes && rc == 0; i++)
			rc = kd_prefixes_add(b, m->prefix[i], false, m->prefix[i][4], 1 + i % 8);
		if (rc == 0)
			rc = kd_prefixes_build(&p, b);
		if (rc < 0)
			return rc;
		build[t] = now_ms() - start;
		m->prefixes_bytes = (double)kd_prefixes_bytes(p) / m->what->prefixes;
		start = now_ms();
		for (uint32_t i = 0; i < QUERIES; i++) {
			uint64_t r = kd_mix(i, 13);
			const uint8_t addr[4] = {
				(uint8_t)r, (uint8_t)(r >> 8), (uint8_t)(r >> 16), (uint8_t)(r >> 24)};

			m->sink += kd_prefixes_match(p, addr, false)->word[0];
		}
		ns[t] = (now_ms() - start) * 1e6 / QUERIES;
		kd_prefixes_free(p);
	}
	m->prefixes_build_ms = median(build);
	m->prefixes_ns = median(ns);
	return 0;
}

/* --- the opponent: Hyperscan's literals, the one of its interfaces that takes very many names */

static int on_literal(
	unsigned int id, unsigned long long from, unsigned long long to, unsigned int flags, void *sink)
{
	(void)from;
	(void)to;
	(void)flags;
	*(uint64_t *)sink += id;
	return 0;
}

static int scan_literals(struct micro *m, hs_database_t *db)
{
	hs_scratch_t *scratch = NULL;
	double start;

	if (hs_alloc_scratch(db, &scratch) != HS_SUCCESS)
		return -ENOMEM;
	start = now_ms();
	for (uint32_t i = 0; i < QUERIES; i++) {
		const char *q = m->names.text[m->names.n + i];

		(void)hs_scan(db, q, (unsigned int)strlen(q), 0, scratch, on_literal, &m->sink);
	}
	m->literals_ns = (now_ms() - start) * 1e6 / QUERIES;
	hs_free_scratch(scratch);
	return 0;
}

static int measure_literals(struct micro *m)
{
	uint32_t n = m->what->literals < m->names.n ? m->what->literals : m->names.n;
	const char **text = calloc(n, sizeof(*text));
	unsigned int *flags = calloc(n, sizeof(*flags)), *ids = calloc(n, sizeof(*ids));
	size_t *len = calloc(n, sizeof(*len)), bytes = 0;
	hs_compile_error_t *error = NULL;
	hs_database_t *db = NULL;
	double start;
	int rc = -ENOMEM;

	if (text == NULL || flags == NULL || ids == NULL || len == NULL)
		goto out;
	for (uint32_t i = 0; i < n; i++) {
		text[i] = m->names.text[i];
		len[i] = strlen(text[i]);
		flags[i] = HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH;
		ids[i] = i;
	}
	start = now_ms();
	if (hs_compile_lit_multi(text, flags, ids, len, n, HS_MODE_BLOCK, NULL, &db, &error) != HS_SUCCESS) {
		hs_free_compile_error(error);
		goto out;
	}
	m->literals_build_ms = now_ms() - start;
	if (hs_database_size(db, &bytes) == HS_SUCCESS)
		m->literals_bytes = (double)bytes / n;
	rc = scan_literals(m, db);
	hs_free_database(db);
out:
	free(len);
	free(ids);
	free(flags);
	free(text);
	return rc;
}

/* --- a whole rulebook of them, from its files */

static FILE *create(const char *dir, const char *file)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	return fopen(path, "we");
}

static int close_file(FILE *f)
{
	return f == NULL || fclose(f) != 0 ? -EIO : 0;
}

static int write_book(const struct micro *m, const char *dir)
{
	FILE *f;
	int rc;

	f = create(dir, "lists/names.txt");
	for (uint32_t i = 0; f != NULL && i < m->names.n; i++)
		fprintf(f, "%s\n", m->names.text[i]);
	rc = close_file(f);
	f = rc == 0 ? create(dir, "lists/prefixes.txt") : NULL;
	for (uint32_t i = 0; f != NULL && i < m->what->prefixes; i++)
		fprintf(f, "%u.%u.%u.%u/%u\n", m->prefix[i][0], m->prefix[i][1], m->prefix[i][2],
			m->prefix[i][3], m->prefix[i][4]);
	rc = rc == 0 ? close_file(f) : rc;
	f = rc == 0 ? create(dir, "own.cfg") : NULL;
	if (f != NULL)
		fputs("tags = { listed = { real = \"lists/prefixes.txt\"; }; };\n"
		      "rules = ( { id = \"names\"; phase = \"names-blocked\"; when = { sni = [ \"@names\" ]; "
		      "};\n"
		      "    then = { mechanism = \"drop\"; }; },\n"
		      "  { id = \"addresses\"; phase = \"addresses\"; when = { to = [ \"@listed\" ]; };\n"
		      "    then = { mechanism = \"drop\"; }; } );\n",
			f);
	return rc == 0 ? close_file(f) : rc;
}

static int load_book(const char *dir, const char *cache, double *ret_ms)
{
	char profile[256];
	const struct kd_policy_request request = {
		.profile = profile, .dir = dir, .real = true, .cache = cache};
	struct kd_diags diags = {0};
	struct kd_policy *policy = NULL;
	double start = now_ms();
	int rc;

	snprintf(profile, sizeof(profile), "%s/own.cfg", dir);
	rc = kd_policy_load(&policy, &request, &diags);
	*ret_ms = now_ms() - start;
	if (rc < 0)
		kd_diags_print(&diags, stderr);
	kd_policy_free(policy);
	kd_diags_free(&diags);
	return rc;
}

static int measure_book(struct micro *m, const char *dir)
{
	char cache[256];
	double cold[TIMES], cached[TIMES];
	int rc = write_book(m, dir);

	snprintf(cache, sizeof(cache), "%s/cache", dir);
	for (unsigned int t = 0; t < TIMES && rc == 0; t++)
		rc = load_book(dir, NULL, &cold[t]);
	if (rc == 0)
		rc = load_book(dir, cache, &cached[0]); /* fills it */
	for (unsigned int t = 0; t < TIMES && rc == 0; t++)
		rc = load_book(dir, cache, &cached[t]);
	if (rc < 0)
		return rc;
	m->cold_ms = median(cold);
	m->cached_ms = median(cached);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static int measure_loading(struct micro *m)
{
	char dir[] = "/tmp/kordon-bench-XXXXXX", lists[64];
	int rc;

	if (mkdtemp(dir) == NULL)
		return -errno;
	snprintf(lists, sizeof(lists), "%s/lists", dir);
	rc = mkdir(lists, 0700) < 0 ? -errno : measure_book(m, dir);
	if (nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
		kd_complain("%s: left behind: %s", dir, strerror(errno));
	return rc;
}

/* --- */

static void print(const struct micro *m)
{
	uint32_t literals = m->what->literals < m->names.n ? m->what->literals : m->names.n;

	printf("%-34s %10s %12s %10s\n", "", "build", "bytes each", "look-up");
	printf("%-10u %-23s %7.0f ms %12.1f %7.0f ns\n", m->names.n, "names, suffix hash", m->names_build_ms,
		m->names_bytes, m->names_ns);
	if (m->names.n > 10000)
		printf("%-10u %-23s %10s %12s %7.0f ns\n", 10000, "names, suffix hash", "", "", m->few_ns);
	if (literals > 0)
		printf("%-10u %-23s %7.0f ms %12.1f %7.0f ns\n", literals, "names, Hyperscan",
			m->literals_build_ms, m->literals_bytes, m->literals_ns);
	printf("%-10u %-23s %7.0f ms %12.1f %7.0f ns\n", m->what->prefixes, "prefixes, trie",
		m->prefixes_build_ms, m->prefixes_bytes, m->prefixes_ns);
	printf("a rulebook of these names and prefixes, from its files: %.0f ms; from the cache: %.0f ms\n",
		m->cold_ms, m->cached_ms);
	printf("1000000 distinct queries each, 20 %% of the names listed; medians of %d\n", TIMES);
}

static void json(const struct micro *m, struct kd_json *j)
{
	kd_json_open(j, NULL, '{');
	kd_json_str(j, "bench", "micro");
	kd_json_u64(j, "names", m->names.n);
	kd_json_u64(j, "names_build_us", (uint64_t)(m->names_build_ms * 1e3));
	kd_json_u64(j, "names_millibytes_each", (uint64_t)(m->names_bytes * 1e3));
	kd_json_u64(j, "names_lookup_ps", (uint64_t)(m->names_ns * 1e3));
	kd_json_u64(j, "names_lookup_of_10000_ps", (uint64_t)(m->few_ns * 1e3));
	kd_json_u64(j, "literals", m->what->literals < m->names.n ? m->what->literals : m->names.n);
	kd_json_u64(j, "literals_build_us", (uint64_t)(m->literals_build_ms * 1e3));
	kd_json_u64(j, "literals_millibytes_each", (uint64_t)(m->literals_bytes * 1e3));
	kd_json_u64(j, "literals_lookup_ps", (uint64_t)(m->literals_ns * 1e3));
	kd_json_u64(j, "prefixes", m->what->prefixes);
	kd_json_u64(j, "prefixes_build_us", (uint64_t)(m->prefixes_build_ms * 1e3));
	kd_json_u64(j, "prefixes_millibytes_each", (uint64_t)(m->prefixes_bytes * 1e3));
	kd_json_u64(j, "prefixes_lookup_ps", (uint64_t)(m->prefixes_ns * 1e3));
	kd_json_u64(j, "load_cold_us", (uint64_t)(m->cold_ms * 1e3));
	kd_json_u64(j, "load_cached_us", (uint64_t)(m->cached_ms * 1e3));
	kd_bench_machine_json(&m->what->machine, j);
	kd_json_close(j, '}');
}

int kd_bench_micro(const struct kd_bench_micro *what)
{
	char text[4096];
	struct micro m = {.what = what};
	struct kd_json j;
	int rc = make_names(&m.names, what->names);

	if (rc == 0)
		rc = make_prefixes(&m);
	if (rc == 0)
		rc = measure_names(&m);
	if (rc == 0)
		rc = measure_prefixes(&m);
	if (rc == 0 && what->literals > 0)
		rc = measure_literals(&m);
	if (rc == 0)
		rc = measure_loading(&m);
	free(m.prefix);
	free(m.names.text);
	if (rc < 0) {
		kd_complain("bench micro: %s", strerror(-rc));
		return KD_EXIT_ENVIRONMENT;
	}
	if (what->json == NULL || strcmp(what->json, "-") != 0) {
		kd_bench_machine_print(&what->machine);
		print(&m);
	}
	if (what->json == NULL)
		return KD_EXIT_OK;
	kd_json_start(&j, text, sizeof(text));
	json(&m, &j);
	return kd_bench_json(&j, what->json);
}
