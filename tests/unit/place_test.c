/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Places, boxes and paths: how they are read, and which entries a query has in force. Books are made of texts
 * of libconfig here, without files; days were counted by hand on a calendar.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rulebook/place.h"

struct fixture {
	struct kd_book book;
	struct kd_diags diags;
	config_t config;
};

static struct fixture *make(const char *text)
{
	struct fixture *f = calloc(1, sizeof(*f));
	const config_setting_t *root;

	assert_non_null(f);
	f->book.arena = kd_arena_new();
	assert_non_null(f->book.arena);
	f->book.diags = &f->diags;
	f->book.dir = "policies";
	f->book.reading = "x.cfg";
	config_init(&f->config);
	assert_int_equal(config_read_string(&f->config, text), CONFIG_TRUE);
	root = config_root_setting(&f->config);
	kd_places_read(&f->book, root);
	kd_boxes_read(&f->book, root);
	kd_paths_read(&f->book, root);
	assert_false(f->book.no_memory);
	return f;
}

static void end(struct fixture *f)
{
	config_destroy(&f->config);
	kd_arena_free(f->book.arena);
	kd_diags_free(&f->diags);
	free(f);
}

/* Whether just this was said; `hint` may be a part. */
static bool said(const struct fixture *f, enum kd_diag_level level, const char *message, const char *hint)
{
	for (unsigned int i = 0; i < f->diags.count; i++) {
		const struct kd_diag *d = &f->diags.list[i];

		if (d->level == level && strcmp(d->message, message) == 0)
			return hint == NULL ? d->hint == NULL
					    : d->hint != NULL && strstr(d->hint, hint) != NULL;
	}
	return false;
}

static struct kd_scope scope_of(struct fixture *f, const char *name)
{
	const config_setting_t *group = config_lookup(&f->config, name);
	struct kd_scope scope;

	assert_non_null(group);
	kd_scope_read(&f->book, group, &scope);
	return scope;
}

#define PLACES                                                                                               \
	"isps = ( { id = \"rostelecom\"; networks = [ \"home\", \"mobile\" ]; }, { id = \"mts\"; "           \
	"networks = \"mobile\"; } );"                                                                        \
	"regions = ( { id = \"moscow\"; title = \"Moscow\"; }, { id = \"spb\"; } );"                         \
	"states = ( { id = \"allowlist\"; since = \"2025-09\"; until = \"2026-02-01\"; } );"

/* Days: 2022-03-20 = 19071, 2025-09-30 = 20361, 2026-02-01 = 20485. */
#define ON .day = 19071
#define Q(...) (&(struct kd_query){__VA_ARGS__})

static void reads_places(void **state)
{
	struct fixture *f = make(PLACES);

	(void)state;
	assert_int_equal(f->diags.count, 0);
	assert_int_equal(f->book.nisps, 2);
	assert_string_equal(f->book.isps[1].id, "mts");
	assert_int_equal(f->book.isps[0].networks, 1u << KD_NETWORK_HOME | 1u << KD_NETWORK_MOBILE);
	assert_int_equal(f->book.isps[1].networks, 1u << KD_NETWORK_MOBILE);
	assert_int_equal(f->book.nregions, 2);
	assert_string_equal(f->book.regions[0].title, "Moscow");
	assert_int_equal(f->book.nstates, 1);
	assert_int_equal(f->book.states[0].scope.since.first, 20332);
	assert_int_equal(f->book.states[0].scope.since.last, 20361);
	assert_int_equal(f->book.states[0].scope.until.last, 20485);
	end(f);
}

static void wrong_places(void **state)
{
	struct fixture *f = make("isps = ( { id = \"Rostelecom\"; }, { id = \"-\"; }, { id = \"a/b\"; },"
				 " { id = \"mts\"; networks = [ \"moblie\" ]; }, { id = \"mts\"; } );"
				 "regions = ( { title = \"nowhere\"; } ); states = ( { id = \"s\"; where = "
				 "{ network = \"home\"; }; } );");
	const char *hint = "expected a to z, 0 to 9";

	(void)state;
	assert_true(said(f, KD_DIAG_ERROR, "ISP \"Rostelecom\": a profile could not name it", hint));
	assert_true(said(f, KD_DIAG_ERROR, "ISP \"-\": a profile could not name it", hint));
	assert_true(said(f, KD_DIAG_ERROR, "ISP \"a/b\": a profile could not name it", hint));
	assert_int_equal(f->book.nisps, 1);
	assert_true(said(f, KD_DIAG_ERROR, "unknown network \"moblie\" - did you mean \"mobile\"?",
		"known: home, mobile"));
	assert_true(said(f, KD_DIAG_ERROR, "double id: ISP \"mts\"", "first at x.cfg:1"));
	assert_true(said(f, KD_DIAG_ERROR, "\"id\" is missing", NULL));
	assert_int_equal(f->book.nregions, 0);
	assert_int_equal(f->diags.errors, 7);
	end(f);
}

static void no_more_places(void **state)
{
	char *text = malloc(16384), *at = text;
	struct fixture *f;

	(void)state;
	assert_non_null(text);
	at += sprintf(at, "regions = (");
	for (int i = 0; i < KD_PLACES_MAX + 1; i++)
		at += sprintf(at, "%s{ id = \"r%d\"; }", i > 0 ? "," : "", i);
	sprintf(at, ");");
	f = make(text);
	assert_int_equal(f->book.nregions, KD_PLACES_MAX);
	assert_int_equal(f->diags.errors, 1);
	assert_true(said(f, KD_DIAG_ERROR, "more than 64 of this kind: region \"r64\"", NULL));
	end(f);
	free(text);
}

static void reads_scopes(void **state)
{
	struct fixture *f = make(PLACES "boxes = ( { id = \"near\"; }, { id = \"far\"; } );"
					"open = { }; all = { since = \"2022-03..2022-04-02\"; until = "
					"\"2022-06\"; where = { network = "
					"\"mobile\"; isp = [ \"mts\" ]; region = [ \"spb\", \"moscow\" ]; "
					"state = \"allowlist\"; box = "
					"\"far\"; }; };");
	struct kd_scope s = scope_of(f, "open");

	(void)state;
	assert_int_equal(f->diags.count, 0);
	assert_int_equal(s.since.first, INT32_MIN);
	assert_int_equal(s.since.last, INT32_MIN);
	assert_int_equal(s.until.first, INT32_MAX);
	assert_int_equal(s.until.last, INT32_MAX);
	assert_null(s.since_text);
	assert_int_equal(s.networks, 31);
	assert_true((s.isps | s.regions | s.states | s.boxes) == 0);
	s = scope_of(f, "all");
	assert_int_equal(f->diags.count, 0);
	assert_string_equal(s.since_text, "2022-03..2022-04-02");
	assert_int_equal(s.since.first, 19052);
	assert_int_equal(s.since.last, 19084);
	assert_int_equal(s.until.first, 19144);
	assert_int_equal(s.until.last, 19173);
	assert_int_equal(s.networks, 2);
	assert_true(s.isps == 2 && s.regions == 3 && s.states == 1 && s.boxes == 2);
	end(f);
}

static void wrong_scopes(void **state)
{
	struct fixture *f = make(PLACES "a = { where = { network = \"hom\"; isp = \"rostelekom\"; region = [ "
					"\"spb\", \"kazan\" ]; state = "
					"\"alowlist\"; box = \"near\"; provider = \"mts\"; }; };"
					"b = { since = \"2022-03-02\"; until = \"2022-03-01\"; };"
					"c = { since = \"2022-3-1\"; };");

	(void)state;
	scope_of(f, "a");
	assert_true(
		said(f, KD_DIAG_ERROR, "unknown network \"hom\" - did you mean \"home\"?", "known: home"));
	assert_true(said(f, KD_DIAG_ERROR, "unknown ISP \"rostelekom\" - did you mean \"rostelecom\"?",
		"known: rostelecom, mts"));
	assert_true(said(f, KD_DIAG_ERROR, "unknown region \"kazan\"", "known: moscow, spb"));
	assert_true(said(f, KD_DIAG_ERROR, "unknown state \"alowlist\" - did you mean \"allowlist\"?",
		"known: allowlist"));
	assert_true(said(f, KD_DIAG_ERROR, "unknown box \"near\"", "known: none yet"));
	assert_true(
		said(f, KD_DIAG_ERROR, "unknown setting", "known here: network, isp, region, state, box"));
	assert_int_equal(f->diags.errors, 6);
	scope_of(f, "b");
	assert_true(said(
		f, KD_DIAG_ERROR, "date order: until \"2022-03-01\" is before since \"2022-03-02\"", NULL));
	scope_of(f, "c");
	assert_true(said(f, KD_DIAG_ERROR, "\"2022-3-1\" is not a date", "expected YYYY-MM-DD"));
	assert_int_equal(f->diags.errors, 8);
	end(f);
}

/* A user's own file has no days and places; that is said once a key. */
static void own_file(void **state)
{
	struct fixture *f = make("a = { since = \"2030-01-01\"; where = { isp = \"nobody\"; }; };"
				 "b = { since = \"2031-01-01\"; until = \"2032-01-01\"; };");
	struct kd_scope s;

	(void)state;
	f->book.own = "x.cfg";
	s = scope_of(f, "a");
	assert_true(said(f, KD_DIAG_WARNING, "\"since\" has no effect in a profile file", "all that stands"));
	assert_true(said(f, KD_DIAG_WARNING, "\"where\" has no effect in a profile file", "all that stands"));
	assert_int_equal(f->diags.count, 2);
	assert_true(kd_book_in_force(&f->book, &s, "rule:a", Q(ON)));
	scope_of(f, "b");
	assert_int_equal(f->diags.count, 3);
	assert_int_equal(f->diags.errors, 0);
	end(f);
}

static bool holds(struct fixture *f, const char *name, const struct kd_query *query)
{
	struct kd_scope s = scope_of(f, name);

	return kd_book_in_force(&f->book, &s, "rule:x", query);
}

static void days_in_force(void **state)
{
	struct fixture *f = make("open = { }; day = { since = \"2022-03-20\"; until = \"2022-03-22\"; };"
				 "range = { since = \"2022-03-18..2022-03-20\"; };");

	(void)state;
	assert_true(holds(f, "open", Q(ON)));
	assert_false(holds(f, "day", Q(.day = 19070)));
	assert_true(holds(f, "day", Q(.day = 19071)));
	assert_true(holds(f, "day", Q(.day = 19072)));
	assert_false(holds(f, "day", Q(.day = 19073)));
	assert_true(holds(f, "day", NULL));
	/* A plain query takes the last day. */
	assert_false(holds(f, "range", Q(.day = 19070)));
	assert_true(holds(f, "range", Q(.day = 19071)));
	end(f);
}

static void places_in_force(void **state)
{
	struct fixture *f = make(
		PLACES "network = { where = { network = [ \"mobile\", \"roaming\" ]; }; }; isp = { where = { "
		       "isp = \"mts\"; }; }; region = { where = { region = [ \"moscow\" ]; }; };"
		       "state = { where = { state = \"allowlist\"; }; }; both = { where = { isp = "
		       "\"rostelecom\"; region = \"spb\"; }; };");

	(void)state;
	assert_false(holds(f, "network", Q(ON, .network = KD_NETWORK_HOME)));
	assert_true(holds(f, "network", Q(ON, .network = KD_NETWORK_MOBILE)));
	assert_true(holds(f, "network", Q(ON, .network = KD_NETWORK_ROAMING)));
	/* Limited to an ISP, so not in force where the query names none. */
	assert_false(holds(f, "isp", Q(ON)));
	assert_false(holds(f, "isp", Q(ON, .isp = 1)));
	assert_true(holds(f, "isp", Q(ON, .isp = 2)));
	assert_false(holds(f, "region", Q(ON)));
	assert_true(holds(f, "region", Q(ON, .region = 1)));
	assert_false(holds(f, "region", Q(ON, .region = 2)));
	assert_false(holds(f, "state", Q(ON)));
	assert_true(holds(f, "state", Q(ON, .state = 1)));
	assert_false(holds(f, "both", Q(ON, .isp = 1)));
	assert_false(holds(f, "both", Q(ON, .region = 2)));
	assert_true(holds(f, "both", Q(ON, .isp = 1, .region = 2)));
	/* Not limited, so in force whatever the query names. */
	assert_true(
		holds(f, "network", Q(ON, .network = KD_NETWORK_MOBILE, .isp = 2, .region = 1, .state = 1)));
	end(f);
}

/* Each box draws a day of its own from the range; without one they are alike. */
static void days_of_samples(void **state)
{
	struct fixture *f = make("a = { since = \"2024-01..2026-01\"; };"
				 "b = { since = \"2022-03-20\"; until = \"2022-03-20..2022-03-21\"; };");
	unsigned int early = 0, middle = 0, late = 0, other_seed = 0, zero_days = 0;
	struct kd_scope a = scope_of(f, "a");

	(void)state;
	for (uint32_t k = 1; k <= 200; k++) {
		/* 2023-12-31, 2024-01-01, 2025-01-15, 2026-01-31 */
		assert_false(holds(f, "a", Q(.day = 19722, .sample = k, .seed = 1)));
		early += holds(f, "a", Q(.day = 19723, .sample = k, .seed = 1));
		middle += holds(f, "a", Q(.day = 20103, .sample = k, .seed = 1));
		late += holds(f, "a", Q(.day = 20484, .sample = k, .seed = 1));
		other_seed += holds(f, "a", Q(.day = 20103, .sample = k, .seed = 1)) !=
			      holds(f, "a", Q(.day = 20103, .sample = k, .seed = 2));
		zero_days += !holds(f, "b", Q(ON, .sample = k, .seed = 1));
		/* The same name is the same draw. */
		assert_int_equal(kd_book_in_force(&f->book, &a, "rule:x", Q(.day = 20103, .sample = k)),
			kd_book_in_force(&f->book, &a, "rule:x", Q(.day = 20103, .sample = k)));
	}
	/* Of 762 days 381 lie up to the middle one; 200 boxes: 100 expected, 4.2 standard deviations allowed.
	 */
	assert_true(early < 10);
	assert_in_range(middle, 70, 130);
	assert_int_equal(late, 200);
	assert_in_range(other_seed, 70, 130);
	assert_in_range(zero_days, 70, 130);
	end(f);
}

static bool meet(struct fixture *f, const char *a, const char *b)
{
	struct kd_scope x = scope_of(f, a), y = scope_of(f, b);
	bool m = kd_scopes_meet(&f->book, &x, &y);

	assert_int_equal(kd_scopes_meet(&f->book, &y, &x), m);
	return m;
}

static void meetings(void **state)
{
	struct fixture *f = make(PLACES
		"boxes = ( { id = \"near\"; }, { id = \"far\"; } );"
		"open = { }; march = { since = \"2022-03-01\"; until = \"2022-04-01\"; };"
		"april = { since = \"2022-04-01\"; until = \"2022-05-01\"; }; late = { since = "
		"\"2022-03-31\"; };"
		"never = { since = \"2022-03-10\"; until = \"2022-03-10\"; };"
		"home = { where = { network = \"home\"; }; }; mobile = { where = { network = \"mobile\"; }; "
		"};"
		"mts = { where = { isp = \"mts\"; }; }; rt = { where = { isp = \"rostelecom\"; }; };"
		"spb = { where = { region = \"spb\"; }; }; moscow = { where = { region = \"moscow\"; }; };"
		"near = { where = { box = \"near\"; }; }; far = { where = { box = \"far\"; }; };"
		"state = { where = { state = \"allowlist\"; }; };");

	(void)state;
	assert_true(meet(f, "open", "open"));
	assert_true(meet(f, "open", "march"));
	assert_false(meet(f, "march", "april"));
	assert_true(meet(f, "march", "late"));
	assert_false(meet(f, "march", "never"));
	assert_false(meet(f, "open", "never"));
	assert_false(meet(f, "home", "mobile"));
	assert_true(meet(f, "home", "mts"));
	assert_false(meet(f, "mts", "rt"));
	assert_true(meet(f, "mts", "spb"));
	assert_false(meet(f, "moscow", "spb"));
	assert_false(meet(f, "near", "far"));
	assert_true(meet(f, "near", "near"));
	assert_true(meet(f, "state", "open"));
	f->book.own = "x.cfg";
	assert_true(meet(f, "march", "april"));
	end(f);
}

#define ALL_PHASES ((1u << KD_PHASE_COUNT) - 1)

static void no_paths(void **state)
{
	struct fixture *f = make("boxes = ( { id = \"near\"; sees = \"upstream\"; } );");
	struct kd_path_boxes p;

	(void)state;
	kd_path_of(&f->book, Q(ON), &p);
	assert_int_equal(p.n, 1);
	assert_string_equal(p.box[0]->id, "box");
	assert_int_equal(p.box[0]->sees, KD_SEES_BOTH);
	assert_int_equal(p.box[0]->phases, ALL_PHASES);
	assert_true(p.box[0]->protocols == UINT64_MAX);
	end(f);
}

static void paths(void **state)
{
	struct fixture *f = make(
		PLACES "boxes = ( { id = \"near\"; protocols = [ \"tls\" ]; }, { id = \"core\"; sees = "
		       "\"upstream\"; "
		       "phases = [ \"addresses\", \"default\" ]; } );"
		       "paths = ( { id = \"mts\"; boxes = [ \"core\" ]; where = { isp = \"mts\"; }; },"
		       " { id = \"home\"; boxes = [ \"near\", \"core\" ]; until = \"2025-01-01\"; where = { "
		       "network = "
		       "\"home\"; }; },"
		       " { id = \"rest\"; boxes = \"near\"; } );"
		       "core = { where = { box = \"core\"; }; }; near = { where = { box = \"near\"; }; };");
	struct kd_path_boxes p;

	(void)state;
	assert_int_equal(f->diags.count, 0);
	assert_int_equal(f->book.paths[1].nboxes, 2);
	kd_path_of(&f->book, Q(ON), &p);
	assert_int_equal(p.n, 2);
	assert_ptr_equal(p.box[0], &f->book.boxes[0]);
	assert_ptr_equal(p.box[1], &f->book.boxes[1]);
	assert_int_equal(p.box[0]->phases, ALL_PHASES);
	assert_true(p.box[0]->protocols != 0 && (p.box[0]->protocols & (p.box[0]->protocols - 1)) == 0);
	assert_int_equal(p.box[1]->sees, KD_SEES_UPSTREAM);
	assert_int_equal(p.box[1]->phases, 1u << KD_PHASE_ADDRESSES | 1u << KD_PHASE_DEFAULT);
	/* The first in force. */
	kd_path_of(&f->book, Q(ON, .isp = 2), &p);
	assert_int_equal(p.n, 1);
	assert_ptr_equal(p.box[0], &f->book.boxes[1]);
	kd_path_of(&f->book, Q(.day = 20089), &p);
	assert_int_equal(p.n, 1);
	assert_ptr_equal(p.box[0], &f->book.boxes[0]);
	kd_path_of(&f->book, NULL, &p);
	assert_ptr_equal(p.box[0], &f->book.boxes[1]);
	/* Entries of a box are in force where it is the one asked for. */
	assert_true(holds(f, "near", Q(ON)));
	assert_false(holds(f, "core", Q(ON)));
	assert_true(holds(f, "core", Q(ON, .box = 1)));
	assert_false(holds(f, "near", Q(ON, .box = 1)));
	assert_true(holds(f, "core", Q(ON, .isp = 2)));
	assert_false(holds(f, "near", Q(ON, .box = 2)));
	end(f);
}

/* X-ARCH-10; and a path that is named is taken, in force or not. */
static void types_and_named_paths(void **state)
{
	struct fixture *f =
		make("boxes = ( { id = \"a\"; type = \"A\"; }, { id = \"b\"; type = \"B\"; sees = "
		     "\"upstream\"; } );"
		     "paths = ( { id = \"first\"; boxes = \"a\"; },"
		     " { id = \"second\"; boxes = [ \"a\", \"b\" ]; until = \"2021-05-01\"; } );");
	const char *const set[] = {"path=no", "flow.idle_tcp=1 s", "path=second", NULL};
	struct kd_path_boxes p;

	(void)state;
	assert_int_equal(f->diags.count, 0);
	kd_path_of(&f->book, Q(ON), &p);
	assert_int_equal(p.n, 1);
	assert_int_equal(p.box[0]->phases, ALL_PHASES);
	assert_true(p.box[0]->protocols == UINT64_MAX);
	assert_string_equal(kd_path_said(set), "second");
	kd_path_of(&f->book, Q(ON, .path = kd_path_said(set)), &p);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.box[1]->phases, 1u << KD_PHASE_ADDRESSES | 1u << KD_PHASE_NAMES_BLOCKED);
	assert_true(p.box[1]->protocols == 1ull << KD_PROTOCOL_http);
	assert_int_equal(p.box[1]->sees, KD_SEES_UPSTREAM);
	assert_null(kd_path_said(set + 3));
	kd_path_check(&f->book, "second");
	assert_int_equal(f->diags.count, 0);
	kd_path_check(&f->book, "third");
	assert_true(said(f, KD_DIAG_ERROR, "unknown path \"third\"", "known: first, second"));
	end(f);
}

static void wrong_types(void **state)
{
	struct fixture *f = make("boxes = ( { id = \"a\"; type = \"C\"; },"
				 " { id = \"b\"; type = \"B\"; protocols = [ \"tls\" ]; } );");

	(void)state;
	assert_true(said(f, KD_DIAG_ERROR, "unknown type \"C\"", "known: A, B"));
	assert_true(said(f, KD_DIAG_ERROR, "type B says which phases and protocols it has",
		"leave `type` or the others out"));
	assert_int_equal(f->diags.errors, 2);
	end(f);
}

static void wrong_paths(void **state)
{
	struct fixture *f =
		make("boxes = ( { id = \"near\"; sees = \"down\"; phases = [ \"adresses\" ]; protocols = "
		     "[ \"tls\", \"quic\", \"tlss\" ]; }, { id = \"near\"; } );"
		     "paths = ( { id = \"a\"; boxes = [ \"neer\" ]; }, { id = \"b\"; boxes = [ "
		     "\"near\", \"near\" ]; }, { id = \"b\"; boxes = "
		     "\"near\"; }, { id = \"c\"; boxes = \"near\"; where = { box = \"near\"; }; } );");

	(void)state;
	assert_true(said(f, KD_DIAG_ERROR, "unknown way to see \"down\"", "known: both, upstream"));
	assert_true(said(f, KD_DIAG_ERROR, "unknown phase \"adresses\" - did you mean \"addresses\"?",
		"known: addresses, observe"));
	assert_true(said(
		f, KD_DIAG_ERROR, "unknown protocol \"tlss\" - did you mean \"tls\"?", "known: tls, http"));
	assert_true(said(f, KD_DIAG_ERROR, "double id: box \"near\"", "first at x.cfg:1"));
	assert_true(said(f, KD_DIAG_ERROR, "unknown box \"neer\" - did you mean \"near\"?", "known: near"));
	assert_true(said(f, KD_DIAG_ERROR, "\"near\" stands on the path twice", "declare a second box"));
	assert_true(said(f, KD_DIAG_ERROR, "double id: path \"b\"", "first at x.cfg:1"));
	assert_true(said(f, KD_DIAG_ERROR, "a path cannot be limited to a box", "\"boxes\" names its boxes"));
	assert_int_equal(f->diags.errors, 8);
	assert_int_equal(f->diags.warnings, 0);
	end(f);
}

/* Several boxes on a path were waited for once. */
static void pending_paths(void **state)
{
	struct fixture *f = make("boxes = ( { id = \"near\"; }, { id = \"far\"; } );"
				 "paths = ( { id = \"a\"; boxes = [ \"near\", \"far\" ]; pending = "
				 "\"path:boxes\"; } );");

	(void)state;
	assert_int_equal(f->diags.errors, 1);
	assert_true(said(f, KD_DIAG_ERROR, "pending on path \"boxes\", which exists", "take the line out"));
	end(f);
}

static char *asked(struct fixture *f, const char *profile)
{
	struct kd_query query;

	return kd_book_query(&f->book, profile, &query);
}

static void profiles(void **state)
{
	struct fixture *f = make(PLACES);
	struct kd_query query;
	char *name = kd_book_query(&f->book, "tspu@2025-10-01/home/-/moscow+allowlist~7", &query);

	(void)state;
	assert_string_equal(name, "tspu@2025-10-01/home/-/moscow+allowlist~7");
	assert_int_equal(query.region, 1);
	assert_int_equal(query.state, 1);
	assert_int_equal(query.sample, 7);
	free(name);
	name = asked(f, "tspu@2025-10-01");
	assert_string_equal(name, "tspu@2025-10-01/home");
	free(name);
	assert_int_equal(f->diags.count, 0);
	/* The state's first day is the last of its month; it ended on its last. */
	free(asked(f, "tspu@2025-09-30+allowlist"));
	free(asked(f, "tspu@2026-01-31+allowlist"));
	assert_int_equal(f->diags.count, 0);
	free(asked(f, "tspu@2025-09-29+allowlist"));
	assert_true(said(f, KD_DIAG_WARNING, "the state \"allowlist\" was first seen 2025-09",
		"its rules have dates of their own"));
	free(asked(f, "tspu@2026-02-01+allowlist"));
	assert_true(said(f, KD_DIAG_WARNING, "the state \"allowlist\" was gone by 2026-02-01",
		"its rules have dates of their own"));
	assert_int_equal(f->diags.count, 2);
	free(asked(f, "tspu@2025-10-01/home/mts"));
	assert_true(
		said(f, KD_DIAG_WARNING, "ISP \"mts\" is not known to run a home network", "known: mobile"));
	assert_int_equal(f->diags.errors, 0);
	assert_null(asked(f, "tspu@2025-10-01/home/t3"));
	assert_true(said(f, KD_DIAG_ERROR, "unknown ISP \"t3\"", "known: rostelecom, mts"));
	assert_int_equal(f->diags.errors, 1);
	end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_places),
		cmocka_unit_test(wrong_places),
		cmocka_unit_test(no_more_places),
		cmocka_unit_test(reads_scopes),
		cmocka_unit_test(wrong_scopes),
		cmocka_unit_test(own_file),
		cmocka_unit_test(days_in_force),
		cmocka_unit_test(places_in_force),
		cmocka_unit_test(days_of_samples),
		cmocka_unit_test(meetings),
		cmocka_unit_test(no_paths),
		cmocka_unit_test(paths),
		cmocka_unit_test(types_and_named_paths),
		cmocka_unit_test(wrong_types),
		cmocka_unit_test(wrong_paths),
		cmocka_unit_test(pending_paths),
		cmocka_unit_test(profiles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
