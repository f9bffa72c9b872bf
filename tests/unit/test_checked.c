/* SPDX-License-Identifier: Apache-2.0
 *
 * Checked arithmetic: right below the limit, refused above it, and the result left alone then.
 */
#include "base/checked.h"
#include "check.h"

static void sums_are_refused_only_on_overflow(void **state) {
    (void)state;
    size_t sum = 7;
    assert_true(dip_add_ok(SIZE_MAX - 5, 5, &sum));
    assert_true(sum == SIZE_MAX);
    sum = 7;
    assert_false(dip_add_ok(SIZE_MAX - 5, 6, &sum));
    assert_true(sum == 7);
}

static void products_are_refused_only_on_overflow(void **state) {
    (void)state;
    size_t product = 7;
    assert_true(dip_mul_ok(SIZE_MAX / 3, 3, &product));
    assert_true(product == SIZE_MAX / 3 * 3);
    assert_true(dip_mul_ok(SIZE_MAX, 0, &product));
    assert_true(product == 0);
    product = 7;
    assert_false(dip_mul_ok(SIZE_MAX / 3 + 1, 3, &product));
    assert_true(product == 7);
}

static void padding_rounds_up_to_the_unit(void **state) {
    (void)state;
    for (size_t value = 0; value < 300; value++) {
        size_t padded = 0;
        assert_true(dip_pad_ok(value, 64, &padded));
        assert_true(padded % 64 == 0 && padded >= value && padded < value + 64);
    }
    size_t padded = 7;
    assert_true(dip_pad_ok(SIZE_MAX - 63, 64, &padded));
    assert_true(padded == SIZE_MAX - 63);
    padded = 7;
    assert_false(dip_pad_ok(SIZE_MAX - 62, 64, &padded));
    assert_true(padded == 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_refused_only_on_overflow),
        cmocka_unit_test(products_are_refused_only_on_overflow),
        cmocka_unit_test(padding_rounds_up_to_the_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
