/* SPDX-License-Identifier: Apache-2.0
 *
 * Fails on purpose: it is registered as a test that must.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "diptych.h"

static void a_wrong_claim_is_noticed(void **state) {
    (void)state;
    assert_int_equal(dip_option_count(), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_wrong_claim_is_noticed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
