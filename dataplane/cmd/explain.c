/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kordon explain: a capture through the offline driver, told as stories of flows. Reads its options and
 * prints; what the stories say is report/explain.c's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/cmd.h"
#include "cmd/replay.h"
#include "cmd/what_if.h"
#include "drivers/offline.h"
#include "report/explain.h"
#include "rulebook/boxes.h"

enum row { FLOW, PACKET, INSIDE_NET, CHECKSUMS, HOPS, COUNTERFACTUALS, NO_COUNTERFACTUALS };

static const struct kd_cmd_option options[] = {
	[FLOW] = {"flow", 0, "ID", "only this flow: its number in the list, or its flow_id"},
	[PACKET] = {"packet", 0, "N", "what became of packet N, and the story of its flow"},
	[INSIDE_NET] = {"inside-net", 0, "CIDR[,..]", "the networks that are inside"},
	[CHECKSUMS] = {"checksums", 0, "MODE", "auto, trust or verify (default auto)"},
	[HOPS] = {"hops", 0, "N", KD_REPLAY_HOPS},
	[COUNTERFACTUALS] = {"counterfactuals", 0, NULL,
		"run it again to see what would decide otherwise, however long"},
	[NO_COUNTERFACTUALS] = {"no-counterfactuals", 0, NULL, "never run it again"},
	{NULL, 0, NULL, NULL},
};

static int number(const struct kd_args *args, enum row row, uint64_t *ret)
{
	const char *text = args->value[row];
	unsigned long long v;
	char *end;

	if (text == NULL)
		return 0;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || v == 0)
		return kd_usage_error(args, "--%s \"%s\": expected a number from 1", options[row].name, text);
	*ret = v;
	return 0;
}

static int tell(const struct kd_args *args, struct kd_explain *x)
{
	char why[KD_EXPLAIN_WHY];
	int rc = kd_explain_print(x, stdout, why);

	if (rc == -ENOENT)
		return kd_usage_error(args, "%s", why);
	if (rc < 0 || fflush(stdout) != 0 || ferror(stdout)) {
		kd_complain("%s", rc < 0 ? strerror(-rc) : "standard output: cannot be written");
		return KD_EXIT_ENVIRONMENT;
	}
	return KD_EXIT_OK;
}

/* Whatever was read is run again, unless the run itself failed or nobody wants it. */
static int what_if(struct kd_what_if **ret, const struct kd_args *args, const struct kd_offline *o,
	struct kd_explain *x, const struct kd_offline_result *result)
{
	struct kd_what_if_config config = {.args = args,
		.offline = o,
		.told = x,
		.packets = result->packets,
		.always = args->value[COUNTERFACTUALS] != NULL};
	int rc;

	if (args->value[NO_COUNTERFACTUALS] != NULL ||
		(result->end != KD_OFFLINE_OK && result->end != KD_OFFLINE_INPUT))
		return 0;
	rc = kd_what_if_try(ret, &config);
	if (rc == 0 && *ret != NULL)
		kd_explain_after(x, kd_what_if_print, *ret);
	return rc;
}

static int explain(const struct kd_args *args, struct kd_offline *o, const struct kd_explain_config *config)
{
	struct kd_offline_sink sink = {.action = kd_explain_action, .event = kd_explain_event};
	struct kd_offline_result result;
	struct kd_what_if *w = NULL;
	struct kd_explain *x;
	int rc;

	if (kd_explain_new(&x, config) < 0) {
		kd_complain("out of memory");
		return KD_EXIT_ENVIRONMENT;
	}
	sink.user = x;
	o->sink = &sink;
	kd_offline_run(o, &result);
	rc = what_if(&w, args, o, x, &result);
	if (rc == 0 && (result.packets > 0 || result.end == KD_OFFLINE_OK))
		rc = tell(args, x);
	if (!args->quiet)
		kd_offline_say(&result, stderr);
	if (result.end != KD_OFFLINE_OK) {
		kd_complain("%s", result.message);
		rc = (int)result.end;
	}
	kd_what_if_free(w);
	kd_explain_free(x);
	return rc;
}

static int run(const struct kd_args *args)
{
	struct kd_explain_config config = {.color = args->color_out};
	struct kd_offline o = {.seed = args->seed,
		.burst = KD_OFFLINE_BURST_DEFAULT,
		.inside_nets = args->value[INSIDE_NET]};
	struct kd_boxes boxes = {0};
	int rc;

	if (args->noperands != 1)
		return kd_usage_error(args, "expected one capture");
	if (args->value[COUNTERFACTUALS] != NULL && args->value[NO_COUNTERFACTUALS] != NULL)
		return kd_usage_error(args, "--counterfactuals and --no-counterfactuals");
	rc = number(args, FLOW, &config.flow);
	if (rc == 0)
		rc = number(args, PACKET, &config.packet);
	if (rc == 0)
		rc = kd_replay_checksums(args, args->value[CHECKSUMS], &o.checksums);
	if (rc == 0)
		rc = kd_replay_hops(args, args->value[HOPS], &o.endpoint);
	if (rc == 0)
		rc = kd_cmd_boxes(&boxes, args);
	if (rc != 0)
		return rc;
	config.policy = o.policy = boxes.policy[0];
	config.boxes = o.boxes = boxes.n > 1 ? &boxes : NULL;
	o.input = args->operands[0];
	rc = explain(args, &o, &config);
	kd_boxes_free(&boxes);
	return rc;
}

const struct kd_command kd_command_explain = {
	.name = "explain",
	.summary = "tell what a box does to the flows of a capture, and why",
	.usage = "explain -p PROFILE IN.pcap[ng] [--flow ID] [--packet N]",
	.text = "One story per flow: a line for each change in what happens to its packets, the rule that "
		"acts with its\n"
		"dates and evidence, and the outcome. Packet numbers are the capture's. Where several boxes "
		"stand on "
		"the path,\neach tells its own story of a flow, of what came to it.\n\n"
		"Then the capture is run again: with each attested value of each knob, one at a time, set at "
		"every box,\n"
		"and, for a flow that was blocked or degraded, with changes that its client could have made.",
	.options = options,
	.takes_profile = true,
	.keeps_time = true,
	.real_traffic = true,
	.run = run,
};
