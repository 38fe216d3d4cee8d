/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loading and compiling, end to end: a small rulebook written here, and the shipped one (folder `policies` of
 * the working directory, or KORDON_POLICIES), whose names and days are held against the sources. Wording is
 * tests/policy's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/engine.h"
#include "engine/protocol.h"
#include "rulebook/diag.h"
#include "rulebook/policy.h"

static char dir[] = "/tmp/kordon-policy-test-XXXXXX";

static const char claims[] = "claims = ( { id = \"X-THR-2021\"; source = \"example.org\"; date = "
			     "\"2021-03-10..2022-10\"; tag = \"P\";\n"
			     "  grade = \"measured\"; read = \"primary\"; text = \"t\"; },\n"
			     "  { id = \"X-SOFT\"; source = \"example.org\"; date = \"2021-05\"; tag = "
			     "\"F\"; grade = \"reported\";\n"
			     "  read = \"primary\"; text = \"t\"; } );\n";

/* b.cfg comes after a.cfg; inside a phase the order is that of the files. */
static const char book_b[] =
	"rules = (\n"
	"  { id = \"late-phase\"; phase = \"fallback\"; since = \"2022-01-01\"; when = { }; then = { "
	"mechanism = \"drop\"; };\n"
	"    evidence = { match = [ \"X-SOFT\" ]; then = [ \"X-SOFT\", \"X-THR-2021\" ]; }; },\n"
	"  { id = \"second\"; phase = \"names-blocked\"; since = \"2022-01-01\"; until = \"2022-02\";\n"
	"    when = { host = [ \"b.example\", \"A.example\" ]; from = \"inside\"; };\n"
	"    then = { mechanism = \"reset\"; form = \"inject\"; direction = \"both\"; };\n"
	"    evidence = { match = [ \"X-SOFT\" ]; then = [ \"X-THR-2021\" ]; date = [ \"assumed\", "
	"\"X-THR-2021\" ]; }; } );\n";
static const char book_a[] =
	"rules = (\n"
	"  { id = \"first\"; phase = \"names-blocked\"; since = \"2022-01-01\"; until = \"2022-02\";\n"
	"    where = { network = [ \"home\", \"hosting\" ]; };\n"
	"    when = { opened_from = \"inside\"; sni = [ \"a.example\", \"b.example\", \"a.example\", "
	"\"@more\", \"x*z.example\" ]; };\n"
	"    then = { mechanism = \"drop\"; }; residual = { key = \"4-tuple\"; time = \"40 s\"; }; miss = "
	"\"50 %\";\n"
	"    evidence = { match = [ \"X-SOFT\" ]; then = [ \"X-THR-2021\" ]; numbers = [ \"X-THR-2021\" ]; "
	"}; },\n"
	"  { id = \"waits\"; phase = \"protocol\"; since = \"2022-01..2022-03\"; when = { any = ( { "
	"signature = \"two\"; }, { ja4 = \"t13d\"; } ); };\n"
	"    then = { mechanism = \"redirect\"; to = \"192.0.2.1\"; }; pending = \"term:ja4\";\n"
	"    evidence = { match = [ \"X-THR-2021\" ]; then = [ \"X-THR-2021\" ]; }; } );\n"
	"settings = ( { set = \"flow.idle_tcp\"; value = \"5 min\"; until = \"2022-02-01\"; evidence = { "
	"numbers = \"X-THR-2021\"; }; } );\n";
static const char signatures[] = "signatures = ( { id = \"one\"; transport = \"udp\"; pattern = "
				 "\"^\\\\x01\"; must = \"01\"; must_not = \"02\";\n"
				 "    evidence = { match = \"X-THR-2021\"; }; },\n"
				 "  { id = \"two\"; transport = \"tcp\"; pattern = \"^SSH-\"; must = "
				 "\"5353482d\"; must_not = \"00\";\n"
				 "    evidence = { match = \"X-THR-2021\"; }; } );\n";
static const char own[] =
	"rules = ( { id = \"mine\"; phase = \"protocol\"; when = { protocol = [ \"http\", \"tls\" ]; };\n"
	"    then = { mechanism = \"drop\"; }; },\n"
	"  { id = \"whenever\"; since = \"2030-01\"; phase = \"addresses\"; when = { };\n"
	"    then = { mechanism = \"drop\"; direction = \"to-outside\"; }; } );\n";

static const struct file {
	const char *name, *text;
} files[] = {
	{"claims.cfg", claims},
	{"rulebook/b.cfg", book_b},
	{"rulebook/a.cfg", book_a},
	{"signatures/s.cfg", signatures},
	{"lists/more.txt", "# SPDX\n  ^c.example  \n*.d.example # below\n\nb.example\n"},
	{"own.cfg", own},
};

static const char *const folders[] = {"rulebook", "signatures", "lists"};

static char *in_dir(const char *name)
{
	char *path;

	assert_true(asprintf(&path, "%s/%s", dir, name) > 0);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path = in_dir(folders[i]);

		if (mkdir(path, 0755) < 0)
			return -1;
		free(path);
	}
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *path = in_dir(files[i].name);
		FILE *f = fopen(path, "w");

		if (f == NULL || fputs(files[i].text, f) < 0 || fclose(f) != 0)
			return -1;
		free(path);
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *path = in_dir(files[i].name);

		unlink(path);
		free(path);
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		char *path = in_dir(folders[i]);

		rmdir(path);
		free(path);
	}
	return rmdir(dir);
}

static struct kd_policy *load(const char *from, const char *profile, const char *const *set)
{
	struct kd_policy_request request = {.profile = profile, .dir = from, .set = set};
	struct kd_policy *policy = NULL;
	struct kd_diags diags = {0};
	int rc = kd_policy_load(&policy, &request, &diags);

	if (rc != 0)
		kd_diags_print(&diags, stderr);
	assert_int_equal(diags.errors, 0);
	kd_diags_free(&diags);
	assert_int_equal(rc, 0);
	return policy;
}

static void load_fails(const char *profile, const char *const *set, unsigned int errors)
{
	struct kd_policy_request request = {.profile = profile, .dir = dir, .set = set};
	struct kd_policy *policy = (struct kd_policy *)dir;
	struct kd_diags diags = {0};

	assert_int_equal(kd_policy_load(&policy, &request, &diags), -EINVAL);
	assert_ptr_equal(policy, dir); /* untouched */
	assert_int_equal(diags.errors, errors);
	kd_diags_free(&diags);
}

/* The rule's first term of that kind, in the order of its program; NULL = none. */
static const struct kd_term *term_of(const struct kd_policy *p, uint16_t rule, unsigned int kind)
{
	uint32_t last = p->rules[rule].first_term;

	if (last >= KD_TERM_FALSE)
		return NULL;
	for (uint32_t i = last; i <= last; i++) {
		const struct kd_term *t = &p->terms[i];

		if (t->kind == kind)
			return t;
		if (t->on_true < KD_TERM_FALSE && t->on_true > last)
			last = t->on_true;
		if (t->on_false < KD_TERM_FALSE && t->on_false > last)
			last = t->on_false;
	}
	return NULL;
}

/* Whether the names of the rule, plain or patterns, cover the host. */
static bool covers(const struct kd_policy *p, const char *rule, const char *host)
{
	uint16_t r = kd_policy_rule_find(p, rule);
	struct kd_scratch *scratch = NULL;
	struct kd_set_bits bits = {0};
	const struct kd_term *names;

	assert_int_not_equal(r, 0);
	names = term_of(p, r, KD_TERM_NAME);
	assert_non_null(names);
	if (p->names != NULL)
		kd_names_match(p->names, (const uint8_t *)host, strlen(host), &bits);
	if (p->name_patterns != NULL) {
		assert_int_equal(kd_scratch_new(&scratch, p->name_patterns, NULL), 0);
		kd_patterns_match(p->name_patterns, scratch, (const uint8_t *)host, strlen(host), &bits);
		kd_scratch_free(scratch);
	}
	return kd_set_bits_has(&bits, names->set);
}

static void null_profile(void **state)
{
	struct kd_policy *p = load("/nowhere", "null", NULL);

	(void)state;
	assert_string_equal(p->profile, "null");
	assert_int_equal(p->nrules, 0);
	assert_int_equal(strlen(p->hash), 64);
	assert_null(p->names);
	assert_null(p->name_patterns);
	assert_null(p->signatures);
	for (unsigned int phase = 0; phase <= KD_PHASE_COUNT; phase++)
		assert_int_equal(p->phase_first[phase], 1);
	/* The defaults of the table in policy.h. */
	assert_int_equal(p->settings.idle_tcp_ns, 600000000000);
	assert_int_equal(p->settings.idle_other_ns, 60000000000);
	assert_int_equal(p->settings.inspect_pkts, 20);
	assert_int_equal(p->settings.fallback_pkts, 3);
	kd_policy_free(p);
	kd_policy_free(NULL);
}

static void order_and_fields(void **state)
{
	struct kd_policy *p = load(dir, "tspu@2022-01-15", NULL);
	const struct kd_rule *r;

	(void)state;
	assert_string_equal(p->profile, "tspu@2022-01-15/home");
	assert_int_equal(p->nrules, 3);
	assert_string_equal(p->rules[1].id, "first");
	assert_string_equal(p->rules[2].id, "second");
	assert_string_equal(p->rules[3].id, "late-phase");
	assert_int_equal(p->phase_first[KD_PHASE_NAMES_BLOCKED], 1);
	assert_int_equal(p->phase_first[KD_PHASE_PROTOCOL], 3);
	assert_int_equal(p->phase_first[KD_PHASE_FALLBACK], 3);
	assert_int_equal(p->phase_first[KD_PHASE_COUNT], 4);
	assert_int_equal(kd_policy_rule_find(p, "second"), 2);
	assert_int_equal(kd_policy_rule_find(p, "waits"), 0);

	r = &p->rules[1];
	assert_int_equal(r->line, 2);
	assert_string_equal(r->since, "2022-01-01");
	assert_string_equal(r->until, "2022-02");
	assert_int_equal(term_of(p, 1, KD_TERM_OPENED)->of, KD_INSIDE);
	assert_null(term_of(p, 1, KD_TERM_FROM));
	assert_int_equal(term_of(p, 1, KD_TERM_NAME)->mask, 1ull << kd_protocol_find("tls"));
	assert_int_equal(r->mechanism, kd_mechanism_find("drop"));
	assert_null(r->pending);
	assert_false(r->inert);
	assert_int_equal(r->closes, 0);
	assert_int_equal(r->other, 0);
	assert_true(r->presence == UINT64_MAX);
	assert_int_equal(r->residual_ns, 40000000000);
	assert_int_equal(r->miss, 0x8000000000000000);
	assert_string_equal(r->claims[KD_PART_MATCH], "X-SOFT");
	assert_int_equal(r->grade[KD_PART_MATCH], KD_GRADE_REPORTED);
	assert_int_equal(r->grade[KD_PART_THEN], KD_GRADE_MEASURED);
	assert_null(r->claims[KD_PART_TARGET]);
	assert_int_equal(r->grade[KD_PART_TARGET], KD_GRADE_COUNT);

	r = &p->rules[2];
	assert_int_equal(term_of(p, 2, KD_TERM_NAME)->mask, 1ull << kd_protocol_find("http"));
	assert_int_equal(term_of(p, 2, KD_TERM_FROM)->of, KD_INSIDE);
	assert_null(term_of(p, 2, KD_TERM_OPENED));
	assert_int_equal(r->residual_ns, 0);
	assert_int_equal(r->miss, 0);
	assert_int_equal(r->grade[KD_PART_DATE], KD_GRADE_ASSUMED);
	assert_string_equal(r->claims[KD_PART_DATE], "X-THR-2021");

	r = &p->rules[3];
	assert_int_equal(r->first_term, KD_TERM_TRUE);
	assert_null(r->until);
	assert_string_equal(r->claims[KD_PART_THEN], "X-SOFT,X-THR-2021");
	assert_int_equal(r->grade[KD_PART_THEN], KD_GRADE_REPORTED); /* the weakest */
	kd_policy_free(p);
}

static void names(void **state)
{
	struct kd_policy *p = load(dir, "tspu@2022-01-15", NULL);

	(void)state;
	assert_int_not_equal(term_of(p, 1, KD_TERM_NAME)->set, term_of(p, 2, KD_TERM_NAME)->set);
	assert_true(covers(p, "first", "a.example"));
	assert_true(covers(p, "first", "WWW.A.example"));
	assert_false(covers(p, "first", "xa.example"));
	assert_true(covers(p, "first", "c.example"));
	assert_false(covers(p, "first", "www.c.example"));
	assert_true(covers(p, "first", "www.d.example"));
	assert_false(covers(p, "first", "d.example"));
	assert_true(covers(p, "first", "xyz.example"));
	assert_true(covers(p, "first", "XZ.EXAMPLE"));
	assert_false(covers(p, "first", "xyz.example.org"));
	assert_false(covers(p, "first", "wxyz.example"));
	assert_true(covers(p, "second", "b.example"));
	assert_false(covers(p, "second", "c.example"));
	assert_false(covers(p, "second", "xyz.example"));
	kd_policy_free(p);
}

static void dates_and_networks(void **state)
{
	static const struct {
		const char *profile;
		unsigned int nrules;
		bool first, waits;
	} cases[] = {
		{"tspu@2021-12-31", 0, false, false},
		{"tspu@2022-01-01", 3, true, false},	     /* since is inclusive */
		{"tspu@2022-01-01/mobile", 2, false, false}, /* where */
		{"tspu@2022-01-01/hosting", 3, true, false},
		{"tspu@2022-02-27", 3, true, false},  /* a month means its last day */
		{"tspu@2022-02-28", 1, false, false}, /* until is exclusive */
		{"tspu@2022-03-30", 1, false, false},
		{"tspu@2022-03-31/roaming", 2, false, true}, /* a range means its last day */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kd_policy *p = load(dir, cases[i].profile, NULL);

		assert_int_equal(p->nrules, cases[i].nrules);
		assert_int_equal(kd_policy_rule_find(p, "first") != 0, cases[i].first);
		assert_int_equal(kd_policy_rule_find(p, "waits") != 0, cases[i].waits);
		kd_policy_free(p);
	}
}

static void pending_and_signatures(void **state)
{
	struct kd_policy *p = load(dir, "tspu@2022-04-01", NULL);
	uint16_t r = kd_policy_rule_find(p, "waits");
	struct kd_scratch *scratch = NULL;
	struct kd_set_bits bits = {0};

	(void)state;
	assert_int_not_equal(r, 0);
	assert_string_equal(p->rules[r].pending, "term:ja4");
	assert_false(p->rules[r].inert);
	assert_int_equal(p->rules[r].mechanism, KD_MECHANISM_redirect);
	assert_int_equal(p->nsignatures, 2);
	assert_string_equal(p->signature_ids[1], "one");
	assert_int_equal(p->signature_transports[1], KD_TRANSPORT_UDP);
	assert_string_equal(p->signature_ids[2], "two");
	assert_int_equal(p->signature_transports[2], KD_TRANSPORT_TCP);
	assert_int_equal(term_of(p, r, KD_TERM_SIGNATURE)->set, 2);
	assert_int_equal(kd_scratch_new(&scratch, NULL, p->signatures), 0);
	kd_patterns_match(p->signatures, scratch, (const uint8_t *)"SSH-2.0", 7, &bits);
	assert_true(kd_set_bits_has(&bits, 2));
	assert_false(kd_set_bits_has(&bits, 1));
	kd_scratch_free(scratch);
	kd_policy_free(p);
}

static void own_file(void **state)
{
	char *path = in_dir("own.cfg");
	struct kd_policy *p = load(dir, path, NULL);

	(void)state;
	free(path);
	assert_string_equal(p->profile, "own.cfg");
	assert_int_equal(p->nrules, 2); /* all of it, whatever its dates; nothing of the rulebook */
	assert_string_equal(p->rules[1].id, "whenever");
	assert_string_equal(p->rules[2].id, "mine");
	assert_int_equal(term_of(p, 2, KD_TERM_PROTOCOL)->mask,
		1ull << kd_protocol_find("tls") | 1ull << kd_protocol_find("http"));
	assert_memory_not_equal(p->rules[1].params, p->rules[2].params, KD_MECH_PARAMS);
	kd_policy_free(p);
}

static void settings(void **state)
{
	const char *const set[] = {"flow.idle_udp=45 s", "inspect.packets=3", "flow.idle_udp=46 s", NULL};
	const char *const wrong[] = {
		"flow.idle_udp=45 pkt", "inspect.packet=3", "inspect.packets", "flow.idle_tcp=0 s", NULL};
	struct kd_policy *p = load(dir, "tspu@2022-01-31", set);

	(void)state;
	assert_int_equal(p->settings.idle_tcp_ns, 300000000000);
	assert_int_equal(p->settings.idle_udp_ns, 46000000000); /* the last word counts */
	assert_int_equal(p->settings.inspect_pkts, 3);
	kd_policy_free(p);
	p = load(dir, "tspu@2022-02-01", NULL);
	assert_int_equal(p->settings.idle_tcp_ns, 600000000000);
	kd_policy_free(p);
	load_fails("null", wrong, 4);
	load_fails("tspu@2022-01-31/hom", wrong, 5);
}

static void refused(void **state)
{
	(void)state;
	load_fails("tspu@2021-03-09", NULL, 1);
	load_fails("tspu@2022-01-01/home/isp", NULL, 1);
	load_fails("tspu@2022-01-01+allowlist", NULL, 1);
	load_fails("/nowhere/x.cfg", NULL, 1);
	load_fails("/", NULL, 1);
}

static void same_hash(
	const char *a, const char *const *set_a, const char *b, const char *const *set_b, bool same)
{
	struct kd_policy *x = load(dir, a, set_a), *y = load(dir, b, set_b);

	assert_int_equal(strcmp(x->hash, y->hash) == 0, same);
	assert_int_equal(strspn(x->hash, "0123456789abcdef"), 64);
	kd_policy_free(x);
	kd_policy_free(y);
}

static void hash(void **state)
{
	const char *const set[] = {"inspect.packets=3", NULL}, *const usual[] = {
								       "inspect.packets=20 pkt (1..30)",
								       NULL};

	(void)state;
	same_hash("tspu@2022-01-02", NULL, "tspu@2022-01-03/home", NULL, true);
	same_hash("tspu@2022-01-02", NULL, "tspu@2022-01-02", usual, true);
	same_hash("tspu@2022-01-02", NULL, "tspu@2022-01-02", set, false);
	same_hash("tspu@2022-01-02", NULL, "tspu@2022-01-02/mobile", NULL, false);
	same_hash("tspu@2022-01-31", NULL, "tspu@2022-02-01", NULL, false); /* a setting ends */
	same_hash("tspu@2022-01-02", NULL, "null", NULL, false);
}

static void newest_claim(void **state)
{
	static const struct {
		const char *profile;
		unsigned int warnings;
	} cases[] = {{"tspu@2022-10-31", 0}, {"tspu@2022-11-01", 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kd_policy_request request = {.profile = cases[i].profile, .dir = dir};
		struct kd_policy *p = NULL;
		struct kd_diags diags = {0};

		assert_int_equal(kd_policy_load(&p, &request, &diags), 0);
		assert_int_equal(diags.warnings, cases[i].warnings);
		if (diags.warnings > 0)
			assert_non_null(strstr(diags.list[0].message, "2022-10-31"));
		kd_diags_free(&diags);
		kd_policy_free(p);
	}
}

static const char *shipped(void)
{
	const char *from = getenv("KORDON_POLICIES");

	return from != NULL ? from : "policies";
}

static bool blocked(const struct kd_policy *p, const char *host)
{
	for (uint32_t r = 1; r <= p->nrules; r++)
		if (p->rules[r].pending == NULL && term_of(p, (uint16_t)r, KD_TERM_NAME) != NULL &&
			covers(p, p->rules[r].id, host))
			return true;
	return false;
}

/* Facebook and Twitter 4 March, Instagram 14 March (net4people/bbs#106); the rest of the web is free. */
static void seed_2022(void **state)
{
	struct kd_policy *p = load(shipped(), "tspu@2022-03-20/home", NULL);
	const struct kd_rule *r;

	(void)state;
	assert_true(blocked(p, "www.instagram.com"));
	assert_true(blocked(p, "facebook.com"));
	assert_true(blocked(p, "twitter.com"));
	assert_true(blocked(p, "t.co"));
	assert_true(blocked(p, "www.linkedin.com"));
	assert_false(blocked(p, "www.wikipedia.org"));
	assert_false(blocked(p, "reddit.com"));
	r = &p->rules[kd_policy_rule_find(p, "sni-i-registry")];
	assert_int_equal(r->residual_ns, 75000000000); /* X-ST-1 */
	assert_int_equal(r->miss, 15495265021916023);  /* X-ARCH-REL: 0.084 % */
	/* X-ARCH-2 */
	assert_int_equal(term_of(p, kd_policy_rule_find(p, "sni-i-registry"), KD_TERM_OPENED)->of, KD_INSIDE);
	/* That the payload goes, on every later packet, was not read in the paper; the 75 s were. */
	assert_int_equal(r->grade[KD_PART_THEN], KD_GRADE_ASSUMED);
	assert_string_equal(r->claims[KD_PART_THEN], "X-SNI-I,X-ST-3");
	assert_int_equal(r->grade[KD_PART_NUMBERS], KD_GRADE_MEASURED);
	assert_int_equal(r->grade[KD_PART_TARGET], KD_GRADE_ASSUMED); /* nothing says phones */
	r = &p->rules[kd_policy_rule_find(p, "sni-iv")];
	assert_int_equal(r->residual_ns, 40000000000);
	assert_int_equal(r->grade[KD_PART_TARGET], KD_GRADE_ASSUMED);
	kd_policy_free(p);
	p = load(shipped(), "tspu@2022-03-13/home", NULL);
	assert_true(blocked(p, "twitter.com"));
	assert_false(blocked(p, "instagram.com"));
	kd_policy_free(p);
	p = load(shipped(), "tspu@2022-03-03/home", NULL);
	assert_true(covers(p, "throttle-twitter-2022", "twitter.com")); /* slowed down until then */
	assert_true(blocked(p, "linkedin.com")); /* since 2016, from the first day the rulebook knows */
	kd_policy_free(p);
}

/* X-THR-2021: the substring t.co of 10 March 2021 also hit reddit.com and microsoft.com; by 2 April it was
 * gone. */
static void seed_2021(void **state)
{
	struct kd_policy *p = load(shipped(), "tspu@2021-03-10/home", NULL);
	const char *rule = "throttle-twitter-2021-03";

	(void)state;
	assert_int_equal(p->rules[kd_policy_rule_find(p, rule)].mechanism, KD_MECHANISM_police);
	assert_true(covers(p, rule, "t.co"));
	assert_true(covers(p, rule, "reddit.com"));
	assert_true(covers(p, rule, "www.microsoft.com"));
	assert_true(covers(p, rule, "abs.twimg.com"));
	assert_true(covers(p, rule, "nottwitter.com"));
	assert_false(covers(p, rule, "twitter.com.")); /* the dot escapes */
	assert_false(covers(p, rule, "wikipedia.org"));
	kd_policy_free(p);
	p = load(shipped(), "tspu@2021-04-02/home", NULL);
	rule = "throttle-twitter-2021-04";
	assert_int_equal(kd_policy_rule_find(p, "throttle-twitter-2021-03"), 0);
	assert_true(covers(p, rule, "t.co"));
	assert_false(covers(p, rule, "reddit.com"));
	assert_true(covers(p, rule, "api.twitter.com"));
	assert_false(covers(p, rule, "nottwitter.com"));
	assert_false(covers(p, rule, "mobile.twitter.com"));
	assert_true(covers(p, rule, "anything.twimg.com"));
	kd_policy_free(p);
}

/* X-ARCH-15: data centres were hardly touched in 2022; X-ARCH-15-2026: no longer so in 2026. */
static void seed_hosting(void **state)
{
	struct kd_policy *p = load(shipped(), "tspu@2022-03-20/hosting", NULL);

	(void)state;
	assert_false(blocked(p, "instagram.com"));
	kd_policy_free(p);
	p = load(shipped(), "tspu@2026-04-01/hosting", NULL);
	assert_true(blocked(p, "instagram.com"));
	assert_string_equal(p->rules[1].id, "sni-drop-registry");
	assert_non_null(strstr(p->rules[1].claims[KD_PART_TARGET], "X-ARCH-15-2026"));
	kd_policy_free(p);
}

/* A day after what the book covers gets one warning, which names that day and what is missing. */
static void coverage(void **state)
{
	static const struct {
		const char *profile;
		unsigned int warnings;
		bool newest; /* it speaks of the newest claim too */
	} cases[] = {
		{"tspu@2022-11-30", 0, false},
		{"tspu@2022-12-01", 1, false},
		{"tspu@2025-12-04/mobile", 1, false},
		{"tspu@2030-01-01", 1, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kd_policy_request request = {.profile = cases[i].profile, .dir = shipped()};
		struct kd_policy *p = NULL;
		struct kd_diags diags = {0};

		assert_int_equal(kd_policy_load(&p, &request, &diags), 0);
		assert_int_equal(diags.count, cases[i].warnings);
		assert_int_equal(diags.warnings, cases[i].warnings);
		if (diags.count > 0) {
			assert_non_null(strstr(diags.list[0].message, "2022-11-30"));
			assert_non_null(
				strstr(diags.list[0].message, "what passes here may not have passed then"));
			assert_non_null(strstr(diags.list[0].hint, "ECH"));
			assert_int_equal(strstr(diags.list[0].hint, "newest claim") != NULL, cases[i].newest);
		}
		kd_diags_free(&diags);
		kd_policy_free(p);
	}
}

/* Every claim that a built-in number cites exists, and the shipped rulebook loads without a word on each of
 * the days that it covers. */
static void seed_is_clean(void **state)
{
	static const char *const days[] = {"tspu@2021-03-10", "tspu@2021-04-02", "tspu@2022-03-04",
		"tspu@2022-03-14", "tspu@2022-11-30"};

	(void)state;
	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		struct kd_policy_request request = {.profile = days[i], .dir = shipped()};
		struct kd_policy *p = NULL;
		struct kd_diags diags = {0};

		assert_int_equal(kd_policy_load(&p, &request, &diags), 0);
		assert_int_equal(diags.count, 0);
		assert_true(p->nrules > 0);
		kd_policy_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(null_profile),
		cmocka_unit_test(order_and_fields),
		cmocka_unit_test(names),
		cmocka_unit_test(dates_and_networks),
		cmocka_unit_test(pending_and_signatures),
		cmocka_unit_test(own_file),
		cmocka_unit_test(settings),
		cmocka_unit_test(refused),
		cmocka_unit_test(hash),
		cmocka_unit_test(newest_claim),
		cmocka_unit_test(seed_2022),
		cmocka_unit_test(seed_2021),
		cmocka_unit_test(seed_hosting),
		cmocka_unit_test(seed_is_clean),
		cmocka_unit_test(coverage),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
