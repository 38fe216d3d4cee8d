/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words by which an ingress capture is known again. The version stands in them: another one may judge
 * otherwise, and then the packets are not what its box would have seen.
 */
#include "drivers/ingress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "kd_version.h"

void kd_ingress_mark(
	char buf[KD_INGRESS_MARK], const struct kd_policy *policy, uint64_t seed, const char *lab_nets)
{
	snprintf(buf, KD_INGRESS_MARK, "kordon " KD_VERSION " ingress policy=%s seed=%" PRIu64 " lab=%s",
		policy->hash, seed, lab_nets);
}

const char *kd_ingress_lab(const char *writer, const struct kd_policy *policy, uint64_t seed)
{
	char mark[KD_INGRESS_MARK];
	size_t len;

	kd_ingress_mark(mark, policy, seed, "");
	len = strlen(mark);
	return strncmp(writer, mark, len) == 0 ? writer + len : NULL;
}
