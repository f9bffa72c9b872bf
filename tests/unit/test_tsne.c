/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of t-SNE against sums in double over all pairs.
 */
#include "base/mem.h"
#include "check.h"
#include "clouds.h"
#include "experiment/tsne_parts.h"

static const dip_tsne_settings SETTINGS = {
    .perplexity = 30, .iterations = 500, .seed = 1, .threads = 2};

/* ---- affinities ------------------------------------------------------------------------------ */

static double entropy(size_t k, const float *p, double *sum) {
    double h = 0;
    *sum = 0;
    for (size_t j = 0; j < k; j++) {
        h -= p[j] > 0 ? (double)p[j] * log((double)p[j]) : 0;
        *sum += (double)p[j];
    }
    return h;
}

static void rows_have_the_entropy_of_the_perplexity(void **state) {
    (void)state;
    enum { K = 90 };
    static const double PERPLEXITIES[] = {1.5, 5, 30, 80};
    uint64_t random = 3;
    for (int trial = 0; trial < 200; trial++) {
        const double scale = pow(10, -5 + check_random_unit(&random) * 6);
        float distances[K];
        float p[K];
        double sum = 0;
        for (size_t j = 0; j < K; j++) {
            distances[j] = (float)(scale * (0.1 + check_random_unit(&random)));
        }
        const double wanted = PERPLEXITIES[trial % 4];
        const double beta = dip_tsne_row(distances, K, wanted, p);
        check_near(entropy(K, p, &sum), log(wanted), 1e-5);
        check_near(sum, 1, 1e-5);
        size_t first = 0;
        for (size_t j = 1; j < K; j++) {
            first = distances[j] < distances[first] ? j : first;
        }
        for (size_t j = 0; j < K; j++) {
            const double gap = (double)distances[first] - (double)distances[j];
            check_near((double)p[j], (double)p[first] * exp(beta * gap), 1e-6);
        }
    }
}

static void equal_distances_give_equal_affinities(void **state) {
    (void)state;
    float distances[60] = {0};
    float p[60];
    dip_tsne_row(distances, 60, 30, p);
    for (size_t j = 0; j < 60; j++) {
        check_near((double)p[j], 1.0 / 60, 1e-7);
    }
    /* Forty equal vectors are more than the perplexity: the others get nothing. */
    for (size_t j = 40; j < 60; j++) {
        distances[j] = 0.5f;
    }
    dip_tsne_row(distances, 60, 30, p);
    for (size_t j = 0; j < 60; j++) {
        check_near((double)p[j], j < 40 ? 1.0 / 40 : 0, 1e-6);
    }
}

/* p_j|i of all pairs in double, from a full sort and plain bisection. */
static double *reference_conditional(const float *v, size_t n, size_t d, size_t k,
                                     double perplexity) {
    double *p = calloc(n * n, sizeof *p);
    double *squares = calloc(n, sizeof *squares);
    for (size_t i = 0; i < n; i++) {
        double nearest = INFINITY;
        for (size_t j = 0; j < n; j++) {
            squares[j] = j == i ? INFINITY : clouds_squared(v, d, i, j);
            nearest = fmin(nearest, squares[j]);
        }
        for (size_t j = 0; j < n; j++) {
            size_t closer = 0;
            for (size_t other = 0; other < n; other++) {
                closer +=
                    squares[other] < squares[j] || (squares[other] == squares[j] && other < j);
            }
            p[i * n + j] = closer < k && j != i ? 1 : 0;
        }
        double low = 0;
        double high = 1e12;
        for (int step = 0; step < 200; step++) {
            const double beta = (low + high) / 2;
            double sum = 0;
            double mean = 0;
            for (size_t j = 0; j < n; j++) {
                if (p[i * n + j] > 0) {
                    p[i * n + j] = exp(-beta * (squares[j] - nearest)) + 1e-300;
                    sum += p[i * n + j];
                    mean += p[i * n + j] * (squares[j] - nearest);
                }
            }
            const bool is_wide = log(sum) + beta * mean / sum > log(perplexity);
            low = is_wide ? beta : low;
            high = is_wide ? high : beta;
            for (size_t j = 0; j < n && step == 199; j++) {
                p[i * n + j] /= sum;
            }
        }
    }
    free(squares);
    return p;
}

static void affinities_are_those_of_all_pairs(void **state) {
    (void)state;
    enum { N = 150, D = 12, K = 30 };
    float *v = clouds_make(N, D, 5, 0.7, 11);
    double *p = reference_conditional(v, N, D, K, 10);
    const dip_tsne_settings settings = {.perplexity = 10, .iterations = 1, .threads = 2};
    dip_tsne_graph graph = {0};
    check_ok(dip_tsne_affinities(v, N, D, &settings, NULL, &graph, check_error()));
    double total = 0;
    for (size_t i = 0; i < N; i++) {
        double row[N] = {0};
        for (int64_t e = graph.start[i]; e < graph.start[i + 1]; e++) {
            assert_true(row[graph.to[e]] == 0); /* no link twice */
            row[graph.to[e]] = (double)graph.weight[e];
            total += (double)graph.weight[e];
        }
        for (size_t j = 0; j < N; j++) {
            check_near(row[j], (p[i * N + j] + p[j * N + i]) / (2 * N), 2e-8);
        }
    }
    check_near(total, 1, 1e-5);
    dip_tsne_graph_free(&graph);
    free(p);
    free(v);
}

static void few_points_lower_the_perplexity(void **state) {
    (void)state;
    check_near(dip_tsne_perplexity(30, 1000), 30, 0);
    check_near(dip_tsne_perplexity(30, 91), 30, 0);
    check_near(dip_tsne_perplexity(30, 61), 20, 1e-12);
    check_near(dip_tsne_perplexity(30, 2), 1, 0);
}

/* ---- start ----------------------------------------------------------------------------------- */

/* Coordinates with deviations 3, 2 and 0.1: the components are known up to sign. */
static void the_start_is_the_principal_components(void **state) {
    (void)state;
    enum { N = 3000, D = 6 };
    uint64_t random = 5;
    float *v = clouds_floats(N * D);
    float *x = clouds_floats(N);
    float *y = clouds_floats(N);
    for (size_t i = 0; i < N * D; i++) {
        const double deviation = i % D == 4 ? 3 : i % D == 1 ? 2 : 0.1;
        v[i] = (float)(7 + deviation * clouds_normal(&random));
    }
    check_ok(dip_tsne_start(v, N, D, &SETTINGS, x, y, check_error()));
    double xx = 0, yy = 0, vv = 0, ww = 0, xv = 0, yw = 0;
    for (size_t i = 0; i < N; i++) {
        const double first = (double)v[i * D + 4] - 7;
        const double second = (double)v[i * D + 1] - 7;
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
        vv += first * first;
        ww += second * second;
        xv += (double)x[i] * first;
        yw += (double)y[i] * second;
    }
    check_close(sqrt(xx / N), 1e-4, 1e-2);
    check_close(sqrt(yy / xx), 2.0 / 3, 5e-2);
    check_close(fabs(xv) / sqrt(xx * vv), 1, 2e-3);
    check_close(fabs(yw) / sqrt(yy * ww), 1, 5e-3);
    free(v);
    free(x);
    free(y);
}

/* ---- repulsion ------------------------------------------------------------------------------- */

typedef struct forces {
    double *x;
    double *y;
    double z;
} forces;

static forces all_pairs(size_t n, const float *x, const float *y) {
    forces f = {calloc(n, sizeof(double)), calloc(n, sizeof(double)), 0};
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            const double dx = (double)x[i] - (double)x[j];
            const double dy = (double)y[i] - (double)y[j];
            const double q = 1 / (1 + dx * dx + dy * dy);
            f.x[i] += q * q * dx;
            f.y[i] += q * q * dy;
            f.z += j == i ? 0 : q;
        }
    }
    return f;
}

/* The length of the error of all forces over that of all forces. */
static double relative_error(size_t n, const forces *f, const float *fx, const float *fy) {
    double error = 0;
    double all = 0;
    for (size_t i = 0; i < n; i++) {
        error += (f->x[i] - (double)fx[i]) * (f->x[i] - (double)fx[i]);
        error += (f->y[i] - (double)fy[i]) * (f->y[i] - (double)fy[i]);
        all += f->x[i] * f->x[i] + f->y[i] * f->y[i];
    }
    return sqrt(error / all);
}

/* Points of a size: islands, so that densities differ. */
static void scatter(size_t n, double radius, uint64_t *random, float *x, float *y) {
    for (size_t i = 0; i < n; i++) {
        const double at = 2.4 * (double)(i % 11);
        const double far = radius * sqrt((double)(i % 11) / 11);
        x[i] = (float)(far * cos(at) + 0.15 * radius * clouds_normal(random));
        y[i] = (float)(0.6 * far * sin(at) + 0.1 * radius * clouds_normal(random) - 3);
    }
}

static void the_grid_agrees_with_all_pairs(void **state) {
    (void)state;
    enum { N = 3000 };
    static const double RADII[] = {1e-4, 0.03, 1, 4, 15, 40, 90, 120, 20, 2};
    uint64_t random = 9;
    float *x = clouds_floats(N), *y = clouds_floats(N), *fx = clouds_floats(N),
          *fy = clouds_floats(N);
    dip_tsne_field *field = dip_tsne_field_create(N, 2, check_error());
    assert_non_null(field);
    for (size_t r = 0; r < sizeof RADII / sizeof *RADII; r++) {
        double z = 0;
        scatter(N, RADII[r], &random, x, y);
        forces f = all_pairs(N, x, y);
        check_ok(dip_tsne_repel(field, x, y, fx, fy, &z, check_error()));
        const double error = relative_error(N, &f, fx, fy);
        print_message("radius %g: forces off by %.2g, z by %.2g\n", RADII[r], error, z / f.z - 1);
        assert_true(error < 8e-3);
        check_close(z, f.z, 2e-3);
        free(f.x);
        free(f.y);
    }
    dip_tsne_field_free(field);
    free(x);
    free(y);
    free(fx);
    free(fy);
}

/* Farther apart than the largest grid has nodes for: coarser, and still a map's forces. */
static void outliers_do_not_break_the_grid(void **state) {
    (void)state;
    enum { N = 600 };
    uint64_t random = 10;
    float *x = clouds_floats(N), *y = clouds_floats(N), *fx = clouds_floats(N),
          *fy = clouds_floats(N);
    dip_tsne_field *field = dip_tsne_field_create(N, 2, check_error());
    double z = 0;
    scatter(N, 5, &random, x, y);
    x[0] = -2500;
    y[1] = 1e4f;
    check_ok(dip_tsne_repel(field, x, y, fx, fy, &z, check_error()));
    forces f = all_pairs(N, x, y);
    for (size_t i = 0; i < N; i++) {
        assert_true(isfinite(fx[i]) && isfinite(fy[i]));
    }
    assert_true(z > 0.05 * f.z && z < 20 * f.z);
    dip_tsne_field_free(field);
    free(f.x);
    free(f.y);
    free(x);
    free(y);
    free(fx);
    free(fy);
}

static void the_sums_over_few_points_are_exact(void **state) {
    (void)state;
    static const size_t COUNTS[] = {2, 15, 16, 17, 33, 512};
    uint64_t random = 12;
    for (size_t c = 0; c < sizeof COUNTS / sizeof *COUNTS; c++) {
        float x[512], y[512], fx[512], fy[512];
        double z = 0;
        scatter(COUNTS[c], 6, &random, x, y);
        forces f = all_pairs(COUNTS[c], x, y);
        dip_tsne_repel_exactly(COUNTS[c], 2, x, y, fx, fy, &z);
        assert_true(relative_error(COUNTS[c], &f, fx, fy) < 1e-5);
        check_close(z, f.z, 1e-5);
        free(f.x);
        free(f.y);
    }
}

/* The tier in use against sums in double, and against the reference bit by bit. */
static void the_pulls_of_a_graph_are_its_sums(void **state) {
    (void)state;
    enum { N = 300, D = 8 };
    uint64_t random = 14;
    float *v = clouds_make(N, D, 4, 0.8, 13);
    float x[N], y[N], fx[N], fy[N], rx[N], ry[N];
    dip_tsne_graph graph = {0};
    scatter(N, 3, &random, x, y);
    check_ok(dip_tsne_affinities(v, N, D, &SETTINGS, NULL, &graph, check_error()));
    dip_tsne_kernels_get()->attract(&graph, 0, N, x, y, fx, fy);
    dip_tsne_kernels_reference()->attract(&graph, 0, N, x, y, rx, ry);
    for (size_t i = 0; i < N; i++) {
        double sum = 0;
        for (int64_t e = graph.start[i]; e < graph.start[i + 1]; e++) {
            const double dx = (double)x[i] - (double)x[graph.to[e]];
            const double dy = (double)y[i] - (double)y[graph.to[e]];
            sum += (double)graph.weight[e] * dx / (1 + dx * dx + dy * dy);
        }
        check_near((double)fx[i], sum, 1e-8);
        assert_true(fx[i] == rx[i] && fy[i] == ry[i]);
    }
    dip_tsne_graph_free(&graph);
    free(v);
}

static void transforms_are_those_of_the_definition(void **state) {
    (void)state;
    static const size_t LENGTHS[] = {2, 3, 4, 8, 12, 24, 64, 96, 256};
    uint64_t random = 15;
    for (size_t t = 0; t < sizeof LENGTHS / sizeof *LENGTHS; t++) {
        const size_t n = LENGTHS[t];
        float cosine[256], sine[256];
        dip_lanes in[256], x[2][256], y[2][256];
        const dip_fft plan = {n, cosine, sine};
        for (size_t i = 0; i < n; i++) {
            cosine[i] = (float)cos(2 * M_PI * (double)i / (double)n);
            sine[i] = (float)sin(2 * M_PI * (double)i / (double)n);
            for (size_t l = 0; l < DIP_TSNE_LANES; l++) {
                in[i].re[l] = (float)clouds_normal(&random);
                in[i].im[l] = (float)clouds_normal(&random);
            }
        }
        memcpy(x[0], in, n * sizeof *in);
        memcpy(x[1], in, n * sizeof *in);
        const dip_lanes *result = dip_tsne_kernels_get()->fft(&plan, x[0], y[0]);
        assert_memory_equal(result, dip_tsne_kernels_reference()->fft(&plan, x[1], y[1]),
                            n * sizeof *result);
        for (size_t k = 0; k < n * DIP_TSNE_LANES; k++) {
            const size_t l = k % DIP_TSNE_LANES;
            double re = 0, im = 0;
            for (size_t i = 0; i < n; i++) {
                const double angle = 2 * M_PI * (double)(k / DIP_TSNE_LANES * i % n) / (double)n;
                re += (double)in[i].re[l] * cos(angle) + (double)in[i].im[l] * sin(angle);
                im += (double)in[i].im[l] * cos(angle) - (double)in[i].re[l] * sin(angle);
            }
            check_near((double)result[k / DIP_TSNE_LANES].re[l], re, 1e-6 * (double)(n + 8));
            check_near((double)result[k / DIP_TSNE_LANES].im[l], im, 1e-6 * (double)(n + 8));
        }
    }
}

/* Each loop over points gives the bits of the reference. */
static void the_tier_in_use_has_the_bits_of_the_reference(void **state) {
    (void)state;
    enum { N = 500, SIZE = 128 };
    const dip_tsne_kernels *tiers[] = {dip_tsne_kernels_get(), dip_tsne_kernels_reference()};
    uint64_t random = 16;
    float x[N], y[N], fx[4][N], fy[4][N];
    float *grid[2] = {clouds_floats(SIZE * SIZE), clouds_floats(SIZE * SIZE)};
    float *fields = clouds_floats(SIZE * SIZE * DIP_TSNE_NODE);
    int32_t order[N];
    double z[4];
    for (size_t i = 0; i < N; i++) {
        x[i] = (float)(100 * check_random_unit(&random));
        y[i] = (float)(100 * check_random_unit(&random));
        order[i] = (int32_t)i;
    }
    for (size_t i = 0; i < SIZE * SIZE * DIP_TSNE_NODE; i++) {
        fields[i] = (float)clouds_normal(&random);
    }
    const dip_tsne_places places = {x, y, SIZE, -1, -2, 1.1f};
    for (size_t t = 0; t < 2; t++) {
        z[t] = tiers[t]->repel(N, 0, N, x, y, fx[t], fy[t]);
        tiers[t]->spread(&places, order, N, 0, SIZE, grid[t]);
        z[2 + t] = tiers[t]->look_up(&places, order, N, fields, fx[2 + t], fy[2 + t]);
    }
    double charge = 0;
    for (size_t i = 0; i < SIZE * SIZE; i++) {
        charge += (double)grid[0][i];
    }
    check_close(charge, N, 1e-5);
    assert_memory_equal(grid[0], grid[1], SIZE * SIZE * sizeof(float));
    for (size_t t = 0; t < 4; t += 2) {
        assert_true(z[t] == z[t + 1]);
        assert_memory_equal(fx[t], fx[t + 1], sizeof fx[t]);
        assert_memory_equal(fy[t], fy[t + 1], sizeof fy[t]);
    }
    free(grid[0]);
    free(grid[1]);
    free(fields);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_have_the_entropy_of_the_perplexity),
        cmocka_unit_test(equal_distances_give_equal_affinities),
        cmocka_unit_test(affinities_are_those_of_all_pairs),
        cmocka_unit_test(few_points_lower_the_perplexity),
        cmocka_unit_test(the_start_is_the_principal_components),
        cmocka_unit_test(the_grid_agrees_with_all_pairs),
        cmocka_unit_test(outliers_do_not_break_the_grid),
        cmocka_unit_test(the_sums_over_few_points_are_exact),
        cmocka_unit_test(the_pulls_of_a_graph_are_its_sums),
        cmocka_unit_test(transforms_are_those_of_the_definition),
        cmocka_unit_test(the_tier_in_use_has_the_bits_of_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
