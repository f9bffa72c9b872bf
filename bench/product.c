/* SPDX-License-Identifier: Apache-2.0 */
#include "product.h"

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOURCE, WEIGHTS, RESULT, N_OPERANDS, ALIGNMENT = 64, PAGE = 4096 };

struct bench_product {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[N_OPERANDS];
    void *data[N_OPERANDS];
    dnnl_exec_arg_t argument[N_OPERANDS];
};

#if DNNL_VERSION_MAJOR < 3

typedef dnnl_memory_desc_t layout;

static bool make_layout(layout *out, int64_t rows, int64_t columns, dnnl_data_type_t type,
                        dnnl_format_tag_t tag) {
    const dnnl_dims_t dims = {rows, columns};
    return dnnl_memory_desc_init_by_tag(out, 2, dims, type, tag) == dnnl_success;
}

static void free_layout(layout *in) {
    (void)in;
}

static dnnl_primitive_desc_t describe(dnnl_engine_t engine, const layout operand[N_OPERANDS]) {
    dnnl_matmul_desc_t matmul;
    dnnl_primitive_desc_t description = NULL;
    if (dnnl_matmul_desc_init(&matmul, &operand[SOURCE], &operand[WEIGHTS], NULL,
                              &operand[RESULT]) != dnnl_success ||
        dnnl_primitive_desc_create(&description, &matmul, NULL, engine, NULL) != dnnl_success) {
        return NULL;
    }
    return description;
}

static bool make_memory(dnnl_memory_t *out, dnnl_primitive_desc_t description, dnnl_query_t what,
                        dnnl_engine_t engine, void **data) {
    const dnnl_memory_desc_t *chosen = dnnl_primitive_desc_query_md(description, what, 0);
    const size_t bytes = dnnl_memory_desc_get_size(chosen);
#else

typedef dnnl_memory_desc_t layout;

static bool make_layout(layout *out, int64_t rows, int64_t columns, dnnl_data_type_t type,
                        dnnl_format_tag_t tag) {
    const dnnl_dims_t dims = {rows, columns};
    return dnnl_memory_desc_create_with_tag(out, 2, dims, type, tag) == dnnl_success;
}

static void free_layout(layout *in) {
    dnnl_memory_desc_destroy(*in);
}

static dnnl_primitive_desc_t describe(dnnl_engine_t engine, const layout operand[N_OPERANDS]) {
    dnnl_primitive_desc_t description = NULL;
    if (dnnl_matmul_primitive_desc_create(&description, engine, operand[SOURCE], operand[WEIGHTS],
                                          NULL, operand[RESULT], NULL) != dnnl_success) {
        return NULL;
    }
    return description;
}

static bool make_memory(dnnl_memory_t *out, dnnl_primitive_desc_t description, dnnl_query_t what,
                        dnnl_engine_t engine, void **data) {
    const_dnnl_memory_desc_t chosen = dnnl_primitive_desc_query_md(description, what, 0);
    const size_t bytes = dnnl_memory_desc_get_size(chosen);
#endif
    /* Bits of small ordinary numbers in both types: denormal or infinite ones could be slower. */
    *data = aligned_alloc(ALIGNMENT, (bytes + PAGE) / PAGE * PAGE);
    if (*data == NULL) {
        return false;
    }
    memset(*data, 0x3c, bytes);
    return dnnl_memory_create(out, chosen, engine, *data) == dnnl_success;
}

static bool make_primitive(bench_product *product, dnnl_primitive_desc_t description) {
    static const dnnl_query_t query[N_OPERANDS] = {dnnl_query_src_md, dnnl_query_weights_md,
                                                   dnnl_query_dst_md};
    static const int name[N_OPERANDS] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST};
    for (int i = 0; i < N_OPERANDS; i++) {
        if (!make_memory(&product->memory[i], description, query[i], product->engine,
                         &product->data[i])) {
            return false;
        }
        product->argument[i] = (dnnl_exec_arg_t){name[i], product->memory[i]};
    }
    return dnnl_primitive_create(&product->primitive, description) == dnnl_success;
}

static bool fill(bench_product *product, product_shape shape) {
    const dnnl_data_type_t type = shape.is_bf16 ? dnnl_bf16 : dnnl_f32;
    const dnnl_data_type_t result = shape.is_bf16_result ? dnnl_bf16 : dnnl_f32;
    layout operand[N_OPERANDS];
    if (dnnl_engine_create(&product->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&product->stream, product->engine, dnnl_stream_default_flags) !=
            dnnl_success) {
        return false;
    }
    if (!make_layout(&operand[SOURCE], shape.m, shape.k, type, dnnl_ab) ||
        !make_layout(&operand[WEIGHTS], shape.k, shape.n, type, dnnl_format_tag_any) ||
        !make_layout(&operand[RESULT], shape.m, shape.n, result, dnnl_ab)) {
        return false;
    }
    dnnl_primitive_desc_t description = describe(product->engine, operand);
    for (int i = 0; i < N_OPERANDS; i++) {
        free_layout(&operand[i]);
    }
    if (description == NULL) {
        return false;
    }
    const bool is_made = make_primitive(product, description);
    dnnl_primitive_desc_destroy(description);
    return is_made;
}

bench_product *product_create(product_shape shape) {
    bench_product *made = calloc(1, sizeof *made);
    if (made != NULL && !fill(made, shape)) {
        product_free(made);
        return NULL;
    }
    return made;
}

void product_run(bench_product *product) {
    dnnl_primitive_execute(product->primitive, product->stream, N_OPERANDS, product->argument);
    dnnl_stream_wait(product->stream);
}

void product_free(bench_product *product) {
    if (product == NULL) {
        return;
    }
    if (product->primitive != NULL) {
        dnnl_primitive_destroy(product->primitive);
    }
    for (int i = 0; i < N_OPERANDS; i++) {
        if (product->memory[i] != NULL) {
            dnnl_memory_destroy(product->memory[i]);
        }
        free(product->data[i]);
    }
    if (product->stream != NULL) {
        dnnl_stream_destroy(product->stream);
    }
    if (product->engine != NULL) {
        dnnl_engine_destroy(product->engine);
    }
    free(product);
}

const char *product_library(void) {
    static char text[64];
    const dnnl_version_t *version = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", version->major, version->minor, version->patch);
    return text;
}
