/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbering of texts: the codes of an array of first sights, for any number of threads, and whether
 * the numbering is spilled never, before the first round, or between two rounds.
 */
#include "plain.h"

enum {
    DISTINCT = 3000,
    LONG_EVERY = 700,
    LONG_BYTES = 40000, /* longer than a chunk of records */
    ROUNDS = 7,
    BLOCKS = 3,
    STREAMS_MAX = 3,
    NEVER = 1000
};

/* Texts of different length, some long, some the beginning of others. */
static char *texts[DISTINCT];

static char *text_of(size_t id) {
    const size_t more = id % LONG_EVERY == 3 ? LONG_BYTES + id : id % 29;
    char *text = calloc(more + 40, 1);
    assert_non_null(text);
    const int used = sprintf(text, "%zu", id);
    memset(text + used, 'a' + (int)(id % 3), more);
    return text;
}

static int make_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < DISTINCT; i++) {
        texts[i] = text_of(i);
    }
    return 0;
}

static int drop_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < DISTINCT; i++) {
        free(texts[i]);
    }
    return 0;
}

/* ---- what is put through a numbering --------------------------------------------------------- */

/* One round: so many blocks of texts, given by their number. */
typedef struct turn {
    size_t stream;
    bool copies;
    size_t n[BLOCKS];
    size_t *id[BLOCKS];
} turn;

typedef struct script {
    size_t n_streams;
    turn turns[ROUNDS];
} script;

/* Texts [from, to) in random order, most of them often. */
static void draw_script(script *s, size_t n_streams, size_t from, size_t to, size_t most,
                        uint64_t *random) {
    s->n_streams = n_streams;
    for (size_t r = 0; r < ROUNDS; r++) {
        turn *t = &s->turns[r];
        t->stream = check_random_below(random, n_streams);
        t->copies = check_random_below(random, 2) == 1;
        for (size_t b = 0; b < BLOCKS; b++) {
            t->n[b] = check_random_below(random, most);
            t->id[b] = calloc(t->n[b] + 1, sizeof *t->id[b]);
            for (size_t i = 0; i < t->n[b]; i++) {
                const size_t range = check_random_below(random, 3) == 0 ? to - from : 20;
                t->id[b][i] = from + check_random_below(random, range);
            }
        }
    }
}

static void free_script(script *s) {
    for (size_t r = 0; r < ROUNDS; r++) {
        for (size_t b = 0; b < BLOCKS; b++) {
            free(s->turns[r].id[b]);
        }
    }
}

/* Visits the occurrences of one stream in order. */
typedef struct walk {
    const script *s;
    size_t stream;
    size_t round;
    size_t block;
    size_t at;
} walk;

static bool next_id(walk *w, size_t *id) {
    while (w->round < ROUNDS) {
        const turn *t = &w->s->turns[w->round];
        if (t->stream == w->stream && w->block < BLOCKS && w->at < t->n[w->block]) {
            *id = t->id[w->block][w->at++];
            return true;
        }
        const bool is_over = t->stream != w->stream || w->block >= BLOCKS - 1;
        w->round += is_over;
        w->block = is_over ? 0 : w->block + 1;
        w->at = 0;
    }
    return false;
}

/* ---- the codes that are promised ------------------------------------------------------------- */

typedef struct expected {
    int32_t code[DISTINCT];
    size_t order[DISTINCT]; /* the text of each code */
    size_t n;
} expected;

static void see(expected *e, size_t id) {
    if (e->code[id] < 0) {
        e->order[e->n] = id;
        e->code[id] = (int32_t)e->n++;
    }
}

/* In rounds before the spill texts are numbered as they come; afterwards stream by stream. */
static void expect(expected *e, const script *s, size_t spill_at) {
    e->n = 0;
    for (size_t i = 0; i < DISTINCT; i++) {
        e->code[i] = DIP_CODE_UNKNOWN;
    }
    for (size_t r = 0; r < ROUNDS && r < spill_at; r++) {
        for (size_t b = 0; b < BLOCKS; b++) {
            for (size_t i = 0; i < s->turns[r].n[b]; i++) {
                see(e, s->turns[r].id[b][i]);
            }
        }
    }
    for (size_t stream = 0; stream < s->n_streams; stream++) {
        walk w = {.s = s, .stream = stream};
        size_t id = 0;
        while (next_id(&w, &id)) {
            see(e, id);
        }
    }
}

/* ---- the numbering --------------------------------------------------------------------------- */

typedef struct numbering {
    dip_scratch scratch;
    dip_intern *intern;
    dip_column_data columns[STREAMS_MAX]; /* a stream and its codes each */
} numbering;

static void begin(numbering *n) {
    plain_scratch(&n->scratch);
    check_ok(dip_intern_create(&n->intern, &n->scratch, check_error()));
}

static void begin_streams(numbering *n, bool adds) {
    for (size_t s = 0; s < STREAMS_MAX; s++) {
        dip_column_init(&n->columns[s], &n->scratch);
        n->columns[s].stream.adds = adds;
    }
}

static void end_streams(numbering *n) {
    for (size_t s = 0; s < STREAMS_MAX; s++) {
        dip_column_free(&n->columns[s]);
    }
}

static void end(numbering *n) {
    dip_intern_free(n->intern);
    dip_scratch_free(&n->scratch);
}

/* Marks are the positions times ten. */
static void run_turn(numbering *n, const turn *t, int threads) {
    dip_texts cells[BLOCKS] = {{0}};
    dip_texts *list[BLOCKS];
    uint64_t *marks[BLOCKS];
    dip_column_data *column = &n->columns[t->stream];
    uint64_t position = column->stream.position;
    for (size_t b = 0; b < BLOCKS; b++) {
        list[b] = &cells[b];
        marks[b] = calloc(t->n[b] + 1, sizeof *marks[b]);
        for (size_t i = 0; i < t->n[b]; i++) {
            const char *text = texts[t->id[b][i]];
            marks[b][i] = 10 * position++;
            check_ok((t->copies ? dip_texts_copy : dip_texts_add)(&cells[b], text, strlen(text),
                                                                  check_error()));
        }
        cells[b].marks = marks[b];
        check_ok(dip_texts_arrange(&cells[b], check_error()));
    }
    check_ok(dip_intern_round(n->intern, &column->stream, list, BLOCKS, threads, check_error()));
    assert_int_equal(column->stream.position, position);
    for (size_t b = 0; b < BLOCKS; b++) {
        for (size_t i = 0; i < t->n[b]; i++) {
            const int32_t code = (int32_t)cells[b].codes[i];
            assert_int_equal(dip_code_is_hole(code), dip_intern_is_spilled(n->intern));
            check_ok(dip_spool_put(&column->codes, &code, sizeof code, check_error()));
        }
        free(marks[b]);
        dip_texts_free(&cells[b]);
    }
}

static void run_script(numbering *n, const script *s, size_t spill_at, int threads) {
    for (size_t r = 0; r < ROUNDS; r++) {
        if (r == spill_at) {
            check_ok(dip_intern_spill(n->intern, check_error()));
            assert_int_equal(dip_intern_bytes(n->intern), 0);
        }
        run_turn(n, &s->turns[r], threads);
    }
}

static size_t streams_of(numbering *n, const script *s, dip_intern_stream **streams) {
    for (size_t i = 0; i < s->n_streams; i++) {
        streams[i] = &n->columns[i].stream;
    }
    return s->n_streams;
}

static void check_codes(const numbering *n, const script *s, const expected *e) {
    for (size_t stream = 0; stream < s->n_streams; stream++) {
        walk w = {.s = s, .stream = stream};
        dip_column_cursor cursor;
        size_t id = 0;
        size_t got = 0;
        int32_t code = 0;
        dip_column_begin(&cursor, &n->columns[stream]);
        while (next_id(&w, &id)) {
            check_ok(dip_column_codes(&cursor, &code, 1, &got, check_error()));
            assert_int_equal(got, 1);
            assert_int_equal(code, e->code[id]);
        }
        check_ok(dip_column_codes(&cursor, &code, 1, &got, check_error()));
        assert_int_equal(got, 0);
        dip_column_end(&cursor);
    }
}

static void check_list(const dip_intern *intern, const expected *e) {
    plain_texts found = plain_texts_of(dip_intern_texts(intern));
    assert_int_equal(dip_intern_count(intern), e->n);
    assert_int_equal(found.n, e->n);
    for (size_t i = 0; i < e->n; i++) {
        assert_string_equal(found.text[i], texts[e->order[i]]);
    }
    plain_texts_free(&found);
}

/* ---- additions ------------------------------------------------------------------------------- */

static void check_additions(const script *s, size_t spill_at, int threads) {
    numbering n;
    dip_intern_stream *streams[STREAMS_MAX];
    expected *e = calloc(1, sizeof *e);
    expect(e, s, spill_at);
    begin(&n);
    begin_streams(&n, true);
    run_script(&n, s, spill_at, threads);
    const size_t n_streams = streams_of(&n, s, streams);
    check_ok(dip_intern_settle(n.intern, streams, n_streams, threads, check_error()));
    check_codes(&n, s, e);
    check_list(n.intern, e);
    dip_intern_forget(n.intern);
    check_list(n.intern, e);
    end_streams(&n);
    end(&n);
    free(e);
}

static void codes_are_first_sights(void **state) {
    (void)state;
    static const size_t SPILLS[] = {NEVER, 0, 1, ROUNDS / 2, ROUNDS - 1};
    static const int THREADS[] = {1, 2, 4};
    uint64_t random = 1;
    for (size_t n_streams = 1; n_streams <= STREAMS_MAX; n_streams++) {
        script s;
        draw_script(&s, n_streams, 0, DISTINCT, 800, &random);
        for (size_t i = 0; i < sizeof SPILLS / sizeof SPILLS[0]; i++) {
            for (size_t t = 0; t < sizeof THREADS / sizeof THREADS[0]; t++) {
                check_additions(&s, SPILLS[i], THREADS[t]);
            }
        }
        free_script(&s);
    }
}

static void few_texts_are_numbered(void **state) {
    (void)state;
    uint64_t random = 2;
    for (size_t most = 1; most < 6; most++) {
        script s;
        draw_script(&s, 1, 0, 20, most, &random);
        for (size_t spill_at = 0; spill_at <= ROUNDS; spill_at++) {
            check_additions(&s, spill_at, 2);
        }
        free_script(&s);
    }
}

/* Blocks without a text, and none at all. */
static void nothing_is_numbered(void **state) {
    (void)state;
    for (int spills = 0; spills < 2; spills++) {
        numbering n;
        begin(&n);
        begin_streams(&n, true);
        dip_intern_stream *const one[1] = {&n.columns[0].stream};
        const turn empty = {.stream = 0};
        if (spills) {
            check_ok(dip_intern_spill(n.intern, check_error()));
            check_ok(dip_intern_spill(n.intern, check_error()));
        }
        run_turn(&n, &empty, 2);
        check_ok(dip_intern_round(n.intern, one[0], NULL, 0, 2, check_error()));
        check_ok(dip_intern_settle(n.intern, one, 1, 2, check_error()));
        assert_int_equal(dip_intern_count(n.intern), 0);
        assert_int_equal(dip_spool_bytes(dip_intern_texts(n.intern)), 0);
        end_streams(&n);
        end(&n);
    }
}

/* Texts may hold any byte but are told apart by all of them. */
static void texts_may_hold_any_byte(void **state) {
    (void)state;
    for (int spills = 0; spills < 2; spills++) {
        numbering n;
        dip_texts cells = {0};
        dip_texts *const list[1] = {&cells};
        char bytes[512][2];
        begin(&n);
        begin_streams(&n, true);
        for (int i = 0; i < 512; i++) {
            bytes[i][0] = (char)(i % 256);
            bytes[i][1] = '\0';
            check_ok(dip_texts_add(&cells, bytes[i], i < 256 ? 1 : 2, check_error()));
        }
        check_ok(dip_texts_arrange(&cells, check_error()));
        if (spills) {
            check_ok(dip_intern_spill(n.intern, check_error()));
        }
        dip_intern_stream *const one[1] = {&n.columns[0].stream};
        check_ok(dip_intern_round(n.intern, one[0], list, 1, 1, check_error()));
        check_ok(dip_intern_settle(n.intern, one, 1, 1, check_error()));
        plain_texts found = plain_texts_of(dip_intern_texts(n.intern));
        assert_int_equal(found.n, 512);
        for (int i = 0; i < 512; i++) {
            assert_int_equal(found.length[i], i < 256 ? 1 : 2);
            assert_memory_equal(found.text[i], bytes[i], found.length[i]);
        }
        plain_texts_free(&found);
        dip_texts_free(&cells);
        end_streams(&n);
        end(&n);
    }
}

/* ---- look-ups -------------------------------------------------------------------------------- */

/* The first unknown occurrences of a stream from the round of the spill on. */
static void check_missed(const numbering *n, const script *s, size_t spill_at, const expected *e) {
    for (size_t stream = 0; stream < s->n_streams; stream++) {
        const dip_intern_stream *found = &n->columns[stream].stream;
        walk w = {.s = s, .stream = stream};
        size_t id = 0;
        size_t missed = 0;
        for (uint64_t position = 0; next_id(&w, &id); position++) {
            if (w.round < spill_at || e->code[id] >= 0) {
                continue;
            }
            if (missed < DIP_MISSED_MAX) {
                const dip_missed *m = &found->missed[missed];
                assert_int_equal(m->position, position);
                assert_int_equal(m->mark, 10 * position);
                assert_memory_equal(m->text, texts[id], strlen(m->text));
                const size_t length = strlen(texts[id]);
                assert_int_equal(strlen(m->text),
                                 length < sizeof m->text ? length : sizeof m->text - 1);
            }
            missed++;
        }
        assert_int_equal(found->n_missed, missed);
    }
}

/* Additions by one script, spilled or not, then look-ups by another. */
static void check_finds(const script *adds, size_t adds_spill, const script *finds,
                        size_t finds_spill, int threads) {
    numbering n;
    dip_intern_stream *streams[STREAMS_MAX];
    expected *e = calloc(1, sizeof *e);
    expect(e, adds, adds_spill);
    begin(&n);
    begin_streams(&n, true);
    run_script(&n, adds, adds_spill, threads);
    size_t n_streams = streams_of(&n, adds, streams);
    check_ok(dip_intern_settle(n.intern, streams, n_streams, threads, check_error()));
    end_streams(&n);
    begin_streams(&n, false);
    run_script(&n, finds, finds_spill, threads);
    n_streams = streams_of(&n, finds, streams);
    check_ok(dip_intern_settle_finds(n.intern, streams, n_streams, threads, check_error()));
    check_codes(&n, finds, e);
    check_missed(&n, finds, adds_spill < ROUNDS ? 0 : finds_spill, e);
    check_list(n.intern, e); /* looking up adds nothing */
    end_streams(&n);
    end(&n);
    free(e);
}

static void texts_are_looked_up(void **state) {
    (void)state;
    static const size_t SPILLS[][2] = {{NEVER, NEVER},      {NEVER, 0}, {NEVER, 3},
                                       {NEVER, ROUNDS - 1}, {0, NEVER}, {4, NEVER}};
    static const int THREADS[] = {1, 2, 4};
    uint64_t random = 3;
    for (size_t n_streams = 1; n_streams <= 2; n_streams++) {
        script adds;
        script finds;
        draw_script(&adds, n_streams, 0, DISTINCT / 2, 600, &random);
        draw_script(&finds, n_streams, DISTINCT / 3, DISTINCT, 300, &random);
        for (size_t i = 0; i < sizeof SPILLS / sizeof SPILLS[0]; i++) {
            for (size_t t = 0; t < sizeof THREADS / sizeof THREADS[0]; t++) {
                check_finds(&adds, SPILLS[i][0], &finds, SPILLS[i][1], THREADS[t]);
            }
        }
        free_script(&adds);
        free_script(&finds);
    }
}

/* In a numbering without any text nothing is known, the empty text neither. */
static void nothing_is_found_in_nothing(void **state) {
    (void)state;
    for (int spills = 0; spills < 2; spills++) {
        numbering n;
        dip_texts cells = {0};
        dip_texts *const list[1] = {&cells};
        begin(&n);
        begin_streams(&n, false);
        check_ok(dip_texts_add(&cells, "a", 1, check_error()));
        check_ok(dip_texts_add(&cells, "", 0, check_error()));
        check_ok(dip_texts_arrange(&cells, check_error()));
        if (spills) {
            check_ok(dip_intern_spill(n.intern, check_error()));
        }
        dip_column_data *column = &n.columns[0];
        dip_intern_stream *const one[1] = {&column->stream};
        check_ok(dip_intern_round(n.intern, one[0], list, 1, 1, check_error()));
        for (size_t i = 0; i < 2; i++) {
            const int32_t code = (int32_t)cells.codes[i];
            check_ok(dip_spool_put(&column->codes, &code, sizeof code, check_error()));
        }
        check_ok(dip_intern_settle_finds(n.intern, one, 1, 1, check_error()));
        plain_cells found = plain_column(column, false);
        assert_int_equal(found.n, 2);
        assert_int_equal(found.offset[2], 0);
        assert_int_equal(one[0]->n_missed, spills ? 2 : 0);
        plain_cells_free(&found);
        dip_texts_free(&cells);
        end_streams(&n);
        end(&n);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_first_sights), cmocka_unit_test(few_texts_are_numbered),
        cmocka_unit_test(nothing_is_numbered),    cmocka_unit_test(texts_may_hold_any_byte),
        cmocka_unit_test(texts_are_looked_up),    cmocka_unit_test(nothing_is_found_in_nothing),
    };
    return cmocka_run_group_tests(tests, make_texts, drop_texts);
}
