/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole maps: clusters, equal vectors, few points, threads, and real pages against the map that
 * scikit-learn drew (tests/vectors/tsne.txt).
 */
#include "base/mem.h"
#include "check.h"
#include "clouds.h"
#include "experiment/tsne.h"

enum { NEAREST = 10 };

/* The k nearest of i by insertion, ties by index. */
static void find_nearest(const float *v, size_t n, size_t d, size_t i, size_t k, size_t *who,
                         double *distance) {
    size_t held = 0;
    for (size_t j = 0; j < n; j++) {
        const double far = j == i ? INFINITY : clouds_squared(v, d, i, j);
        size_t at = held < k ? held : k;
        while (at > 0 && far < distance[at - 1]) {
            at--;
        }
        if (at == k || j == i) {
            continue;
        }
        held += held < k;
        memmove(who + at + 1, who + at, (held - at - 1) * sizeof *who);
        memmove(distance + at + 1, distance + at, (held - at - 1) * sizeof *distance);
        who[at] = j;
        distance[at] = far;
    }
}

/* The share of its own label among a point's nearest in the map. */
static double purity(const float *xy, size_t n, const int *label) {
    size_t same = 0;
    for (size_t i = 0; i < n; i++) {
        size_t who[NEAREST];
        double distance[NEAREST];
        find_nearest(xy, n, 2, i, NEAREST, who, distance);
        for (size_t k = 0; k < NEAREST; k++) {
            same += label[who[k]] == label[i];
        }
    }
    return (double)same / (double)(n * NEAREST);
}

static int *labels_of(size_t n, size_t clusters) {
    int *label = calloc(n, sizeof *label);
    for (size_t i = 0; i < n; i++) {
        label[i] = (int)(i % clusters);
    }
    return label;
}

static void check_finite(const float *xy, size_t n) {
    for (size_t i = 0; i < 2 * n; i++) {
        assert_true(isfinite(xy[i]) && fabsf(xy[i]) < 1e4f);
    }
}

/* ---- what a map must be ---------------------------------------------------------------------- */

typedef struct story {
    uint64_t items;
    uint64_t iterations;
    double first_kl;
    double last_kl;
    uint64_t stop_at; /* an iteration; 0 for never */
} story;

static int listen(void *context, const dip_progress *progress) {
    story *s = context;
    if (strcmp(progress->phase, "finding neighbours") == 0) {
        s->items = progress->done;
        return s->stop_at == 0 ? 0 : (int)(s->stop_at == UINT64_MAX);
    }
    assert_string_equal(progress->phase, "drawing the map");
    assert_string_equal(progress->unit, "iterations");
    assert_int_equal(progress->done, s->iterations + 1);
    s->iterations = progress->done;
    double kl = 0;
    assert_int_equal(sscanf(progress->detail, "KL divergence %lf", &kl), 1);
    s->first_kl = s->iterations == 1 ? kl : s->first_kl;
    s->last_kl = kl;
    return s->iterations == s->stop_at;
}

static void clusters_stay_apart(void **state) {
    (void)state;
    static const size_t COUNTS[] = {300, 1500}; /* all pairs; the grid */
    for (size_t c = 0; c < 2; c++) {
        const size_t n = COUNTS[c];
        float *v = clouds_make(n, 24, 8, 0.5, 21);
        float *xy = clouds_floats(2 * n);
        int *label = labels_of(n, 8);
        story s = {0};
        const dip_watch watch = {.on_progress = listen, .context = &s};
        const dip_tsne_settings settings = {
            .perplexity = 20, .iterations = 500, .seed = 1, .threads = 2};
        check_ok(dip_tsne(v, n, 24, &settings, &watch, xy, check_error()));
        assert_int_equal(s.items, n);
        assert_int_equal(s.iterations, 500);
        assert_true(s.last_kl < 0.4 * s.first_kl);
        assert_true(purity(xy, n, label) > 0.99);
        double mean[2] = {0, 0};
        for (size_t i = 0; i < 2 * n; i++) {
            mean[i % 2] += (double)xy[i] / (double)n;
        }
        check_near(mean[0], 0, 1e-4);
        check_near(mean[1], 0, 1e-4);
        free(v);
        free(xy);
        free(label);
    }
}

static void threads_do_not_change_the_map(void **state) {
    (void)state;
    static const size_t COUNTS[] = {200, 3000};
    for (size_t c = 0; c < 2; c++) {
        const size_t n = COUNTS[c];
        float *v = clouds_make(n, 16, 6, 0.6, 22);
        float *one = clouds_floats(2 * n);
        float *other = clouds_floats(2 * n);
        dip_tsne_settings settings = {.perplexity = 15, .iterations = 300, .seed = 4, .threads = 1};
        check_ok(dip_tsne(v, n, 16, &settings, NULL, one, check_error()));
        for (int threads = 2; threads <= 5; threads += 3) {
            settings.threads = threads;
            check_ok(dip_tsne(v, n, 16, &settings, NULL, other, check_error()));
            assert_memory_equal(one, other, 2 * n * sizeof *one);
        }
        settings.seed = 5;
        check_ok(dip_tsne(v, n, 16, &settings, NULL, other, check_error()));
        assert_memory_not_equal(one, other, 2 * n * sizeof *one);
        free(v);
        free(one);
        free(other);
    }
}

static void few_points_have_a_map(void **state) {
    (void)state;
    for (size_t n = 0; n <= 40; n += n < 8 ? 1 : 16) {
        float *v = clouds_make(n, 5, 3, 0.5, 23);
        float *xy = clouds_floats(2 * n);
        const dip_tsne_settings settings = {
            .perplexity = 30, .iterations = 400, .seed = 1, .threads = 2};
        check_ok(dip_tsne(v, n, 5, &settings, NULL, xy, check_error()));
        check_finite(xy, n);
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < i; j++) {
                assert_true(clouds_squared(xy, 2, i, j) > 1e-8);
            }
        }
        free(v);
        free(xy);
    }
}

/* All equal; two kinds; a copy of each; vectors of one element, of length 0. */
static void equal_vectors_have_a_map(void **state) {
    (void)state;
    static const size_t COUNTS[] = {120, 1200};
    const dip_tsne_settings settings = {
        .perplexity = 30, .iterations = 300, .seed = 1, .threads = 2};
    for (size_t c = 0; c < 2; c++) {
        const size_t n = COUNTS[c];
        float *v = clouds_make(n, 4, n, 0, 24);
        float *xy = clouds_floats(2 * n);
        static const size_t PERIODS[] = {1, 2, 60};
        for (size_t p = 0; p < 3; p++) {
            for (size_t i = PERIODS[p] * 4; i < n * 4; i++) {
                v[i] = v[i - PERIODS[p] * 4];
            }
            check_ok(dip_tsne(v, n, 4, &settings, NULL, xy, check_error()));
            check_finite(xy, n);
        }
        for (size_t i = 0; i < n; i++) {
            v[i] = i % 3 == 0 ? -1 : 1;
        }
        check_ok(dip_tsne(v, n, 1, &settings, NULL, xy, check_error()));
        check_finite(xy, n);
        memset(v, 0, n * 4 * sizeof *v);
        check_ok(dip_tsne(v, n, 4, &settings, NULL, xy, check_error()));
        check_finite(xy, n);
        free(v);
        free(xy);
    }
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    float *v = clouds_make(50, 4, 3, 0.5, 25);
    float xy[100] = {0};
    dip_tsne_settings s = {.perplexity = 5, .iterations = 10, .seed = 1, .threads = 1};
    v[37 * 4 + 2] = NAN;
    check_fails(dip_tsne(v, 50, 4, &s, NULL, xy, check_error()), DIP_ERR_NONFINITE, "vector 37");
    v[37 * 4 + 2] = -INFINITY;
    check_fails(dip_tsne(v, 50, 4, &s, NULL, xy, check_error()), DIP_ERR_NONFINITE, "vector 37");
    s.perplexity = 0.5;
    check_fails(dip_tsne(v, 30, 4, &s, NULL, xy, check_error()), DIP_ERR_USAGE, "perplexity");
    s.perplexity = NAN;
    check_fails(dip_tsne(v, 30, 4, &s, NULL, xy, check_error()), DIP_ERR_USAGE, "perplexity");
    s.perplexity = 5;
    s.iterations = 0;
    check_fails(dip_tsne(v, 30, 4, &s, NULL, xy, check_error()), DIP_ERR_USAGE, "iterations");
    free(v);
}

static void it_can_be_stopped(void **state) {
    (void)state;
    float *v = clouds_make(600, 8, 3, 0.5, 26);
    float *xy = clouds_floats(1200);
    const dip_tsne_settings settings = {
        .perplexity = 10, .iterations = 100, .seed = 1, .threads = 2};
    story s = {.stop_at = 7};
    const dip_watch watch = {.on_progress = listen, .context = &s};
    check_fails(dip_tsne(v, 600, 8, &settings, &watch, xy, check_error()), DIP_ERR_INTERRUPTED,
                "drawing the map");
    assert_int_equal(s.iterations, 7);
    s = (story){.stop_at = UINT64_MAX};
    check_fails(dip_tsne(v, 600, 8, &settings, &watch, xy, check_error()), DIP_ERR_INTERRUPTED,
                "finding neighbours");
    for (size_t i = 0; i < 1200; i++) {
        assert_true(xy[i] == 0);
    }
    free(v);
    free(xy);
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    float *v = clouds_make(700, 8, 3, 0.5, 27);
    float *xy = clouds_floats(1400);
    const dip_tsne_settings settings = {.perplexity = 10, .iterations = 2, .seed = 1, .threads = 2};
    dip_status status = DIP_ERR_MEMORY;
    int64_t failures = 0;
    for (; status != DIP_OK && failures < 1000; failures++) {
        dip_mem_fail_after(failures, 0);
        status = dip_tsne(v, 700, 8, &settings, NULL, xy, check_error());
        dip_mem_fail_after(-1, 0);
        assert_true(status == DIP_OK || status == DIP_ERR_MEMORY);
    }
    assert_true(status == DIP_OK && failures > 40);
    free(v);
    free(xy);
}

/* ---- beside scikit-learn --------------------------------------------------------------------- */

typedef struct pages {
    size_t n;
    size_t d;
    float *v;     /* [n x d] */
    int *section; /* [n] */
    float *xy;    /* [n x 2] scikit-learn's map */
} pages;

static pages read_pages(void) {
    pages p = {0};
    char line[256];
    FILE *file = fopen(DIP_SOURCE_DIR "/tests/vectors/tsne.txt", "r");
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_int_equal(fscanf(file, "pages %zu dims %zu", &p.n, &p.d), 2);
    p.v = clouds_floats(p.n * p.d);
    p.xy = clouds_floats(p.n * 2);
    p.section = calloc(p.n, sizeof *p.section);
    for (size_t i = 0; i < p.n; i++) {
        assert_int_equal(
            fscanf(file, "%d %255s %f %f", &p.section[i], line, &p.xy[2 * i], &p.xy[2 * i + 1]), 4);
        for (size_t c = 0; c < p.d; c++) {
            unsigned byte = 0;
            assert_int_equal(sscanf(line + 2 * c, "%2x", &byte), 1);
            p.v[i * p.d + c] = (float)(byte < 128 ? (int)byte : (int)byte - 256);
        }
    }
    fclose(file);
    clouds_make_unit(p.n, p.d, p.v);
    return p;
}

/* p_j|i in double by plain bisection. */
static void add_affinities(const pages *p, size_t i, double perplexity, double *joint) {
    enum { K = 90 };
    size_t who[K];
    double distance[K];
    double e[K];
    find_nearest(p->v, p->n, p->d, i, K, who, distance);
    double low = 0;
    double high = 1e9;
    double sum = 0;
    for (int step = 0; step < 100; step++) {
        const double beta = (low + high) / 2;
        double mean = 0;
        sum = 0;
        for (size_t j = 0; j < K; j++) {
            e[j] = exp(-beta * (distance[j] - distance[0]));
            sum += e[j];
            mean += e[j] * (distance[j] - distance[0]);
        }
        const bool is_wide = log(sum) + beta * mean / sum > log(perplexity);
        low = is_wide ? beta : low;
        high = is_wide ? high : beta;
    }
    for (size_t j = 0; j < K; j++) {
        joint[i * p->n + who[j]] += e[j] / sum / (2 * (double)p->n);
        joint[who[j] * p->n + i] += e[j] / sum / (2 * (double)p->n);
    }
}

static double divergence(const double *joint, size_t n, const float *xy) {
    double kl = 0;
    double z = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            z += j == i ? 0 : 1 / (1 + clouds_squared(xy, 2, i, j));
        }
    }
    for (size_t i = 0; i < n * n; i++) {
        const double q = 1 / (1 + clouds_squared(xy, 2, i / n, i % n)) / z;
        kl += joint[i] > 0 ? joint[i] * log(joint[i] / q) : 0;
    }
    return kl;
}

/* The same divergence, within 3%, from the same reference P; and as pure. */
static void the_map_is_as_good_as_that_of_scikit_learn(void **state) {
    (void)state;
    pages p = read_pages();
    float *xy = clouds_floats(2 * p.n);
    double *joint = calloc(p.n * p.n, sizeof *joint);
    story s = {0};
    const dip_watch watch = {.on_progress = listen, .context = &s};
    const dip_tsne_settings settings = {
        .perplexity = 30, .iterations = 1000, .seed = 1, .threads = 2};
    for (size_t i = 0; i < p.n; i++) {
        add_affinities(&p, i, 30, joint);
    }
    check_ok(dip_tsne(p.v, p.n, p.d, &settings, &watch, xy, check_error()));
    const double ours = divergence(joint, p.n, xy);
    const double theirs = divergence(joint, p.n, p.xy);
    const double our_purity = purity(xy, p.n, p.section);
    const double their_purity = purity(p.xy, p.n, p.section);
    print_message("KL divergence %.4f, theirs %.4f; purity %.4f, theirs %.4f\n", ours, theirs,
                  our_purity, their_purity);
    check_close(s.last_kl, ours, 0.02); /* of the last but one step, P over float vectors */
    assert_true(ours < 1.03 * theirs);
    assert_true(our_purity > their_purity - 0.02);
    free(p.v);
    free(p.xy);
    free(p.section);
    free(xy);
    free(joint);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clusters_stay_apart),
        cmocka_unit_test(threads_do_not_change_the_map),
        cmocka_unit_test(few_points_have_a_map),
        cmocka_unit_test(equal_vectors_have_a_map),
        cmocka_unit_test(bad_arguments_are_refused),
        cmocka_unit_test(it_can_be_stopped),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(the_map_is_as_good_as_that_of_scikit_learn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
