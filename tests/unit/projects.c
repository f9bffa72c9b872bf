/* SPDX-License-Identifier: Apache-2.0 */
#include "projects.h"

#include "base/text.h"

typedef struct generator {
    check_folder *folder;
    uint64_t random;
    size_t n_items;
    size_t n_users;
    size_t n_pairs;
    int queries; /* 0: items, 1: of a file, 2: of the interactions */
    int by;      /* of the split: in the order of SPLITS */
} generator;

static const char *const SPLITS[] = {"pair", "unordered_pair", "query", "time", "column"};

static void put(dip_text *text, const char *format, ...) DIP_PRINTF(2, 3);

static void put(dip_text *text, const char *format, ...) {
    char line[500];
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert_in_range(length, 0, sizeof line - 1);
    check_ok(dip_text_put(text, line, (size_t)length, check_error()));
}

static void save(generator *g, const char *name, dip_text *text) {
    check_write(check_path(g->folder, name), text->data, text->length);
    dip_text_free(text);
}

static size_t below(generator *g, size_t n) {
    return check_random_below(&g->random, n);
}

static bool chance(generator *g, size_t one_in) {
    return below(g, one_in) == 0;
}

/* ---- the project file ------------------------------------------------------------------------ */

static void write_project(generator *g) {
    dip_text yaml = {0};
    put(&yaml, "items:\n  file: [items-1.tsv, items-2.tsv]\n  id: id\n");
    put(&yaml, "%s", chance(g, 3) ? "" : "  title: title\n");
    put(&yaml, "  features:\n    id: {type: id}\n");
    put(&yaml, "    kind: {type: categorical, min_count: %zu, max_vocab: %zu}\n", 1 + below(g, 3),
        below(g, 2) * 5);
    put(&yaml, "    first: {type: categorical, column: kind, table: places}\n");
    put(&yaml, "    second: {type: bag, column: tags, table: places}\n");
    put(&yaml, "    hashed: {type: bag, column: tags, hash_buckets: 9}\n");
    put(&yaml, "    folded: {type: categorical, column: id, hash_buckets: 7}\n");
    put(&yaml, "    title: {type: text, ngrams: [1, 2], min_count: %zu}\n", 1 + below(g, 2));
    put(&yaml,
        "    price: {type: numeric}\n    rank: {type: numeric, column: price, buckets: %zu}\n",
        2 + below(g, 50));
    if (g->queries == 1) {
        put(&yaml, "queries:\n  file: users.csv\n  id: user\n  features:\n"
                   "    user: {type: id}\n    home: {type: categorical, table: places}\n"
                   "    likes: {type: bag, separator: ;}\n    age: {type: numeric, buckets: 4}\n");
    } else if (g->queries == 2) {
        put(&yaml, "queries: {id: user}\n");
    }
    put(&yaml, "interactions: {file: 'pairs-*.tsv', query: q, item: i%s}\n",
        g->by == 3 || chance(g, 2) ? ", time: t" : "");
    put(&yaml, "split: {by: %s%s, test: 0.2, validation: 0.1, seed: %zu, train_fraction: %s}\n",
        SPLITS[g->by], g->by == 4 ? ", column: part" : "", below(g, 100),
        chance(g, 3) ? "0.7" : "1");
    save(g, "project.yaml", &yaml);
}

/* ---- the tables ------------------------------------------------------------------------------ */

static void put_word(generator *g, dip_text *text) {
    static const char *const WORDS[] = {"red", "Größe", "椅子", "a", "B", "café", "ﬁne", "x-y"};
    const size_t word = below(g, 40);
    if (word < 8) {
        put(text, "%s", WORDS[word]);
    } else {
        put(text, "w%zu", word * word % 31);
    }
}

/* Some values are long, some are the beginning of others. */
static void put_value(generator *g, dip_text *text) {
    static const char LONG[] = "a value that is longer than most, and that goes on ";
    if (chance(g, 20)) {
        put(text, "%s%s%zu", LONG, LONG, below(g, 4));
    } else {
        put(text, "v%zu", below(g, chance(g, 2) ? 5 : 200));
    }
}

static void put_number(generator *g, dip_text *text) {
    if (!chance(g, 8)) {
        put(text, "%.3g", (check_random_unit(&g->random) - 0.3) * 1000);
    }
}

static void write_items(generator *g) {
    const size_t middle = below(g, g->n_items);
    dip_text text = {0};
    put(&text, "id\ttitle\tkind\ttags\tprice\n");
    for (size_t i = 0; i < g->n_items; i++) {
        if (i == middle) {
            save(g, "items-1.tsv", &text);
            put(&text, "id\ttitle\tkind\ttags\tprice\n");
        }
        put(&text, "%sitem %zu\t", chance(g, 30) ? "\n" : "", i);
        for (size_t w = below(g, 5); w > 0; w--) {
            put_word(g, &text);
            put(&text, " ");
        }
        put(&text, "\t%s", chance(g, 6) ? " " : "");
        if (!chance(g, 6)) {
            put_value(g, &text);
        }
        put(&text, "\t");
        for (size_t v = below(g, 6); v > 0; v--) {
            put_value(g, &text);
            put(&text, "|");
        }
        put(&text, "\t");
        put_number(g, &text);
        put(&text, "\n");
    }
    save(g, "items-2.tsv", &text);
}

static void write_users(generator *g) {
    dip_text text = {0};
    put(&text, "user,home,likes,age\n");
    for (size_t u = 0; u < g->n_users; u++) {
        put(&text, "user %zu,\"", u);
        put_value(g, &text);
        put(&text, "\",\"");
        for (size_t v = below(g, 4); v > 0; v--) {
            put_value(g, &text);
            put(&text, "%s", chance(g, 5) ? "\n;" : ";");
        }
        put(&text, "\",");
        put_number(g, &text);
        put(&text, "\n");
    }
    save(g, "users.csv", &text);
}

/* An unknown id here and there. */
static void put_id(generator *g, dip_text *text, const char *name, size_t n) {
    if (chance(g, 25)) {
        put(text, "none %zu\t", below(g, 9));
    } else {
        put(text, "%s %zu\t", name, chance(g, 3) ? below(g, 1 + n / 10) : below(g, n));
    }
}

static void write_pairs(generator *g) {
    static const char *const PARTS[] = {"train", "training", "valid", "validation", "test"};
    static const char *const FILES[] = {"pairs-a.tsv", "pairs-b.tsv", "pairs-c.tsv"};
    for (size_t f = 0; f < 3; f++) {
        dip_text text = {0};
        put(&text, "t\tq\ti\tpart\n");
        for (size_t n = f == 1 ? 3 : g->n_pairs / 2; n > 0; n--) {
            put(&text, "%zu\t", below(g, 50));
            put_id(g, &text, g->queries == 0 ? "item" : "user",
                   g->queries == 0 ? g->n_items : g->n_users);
            put_id(g, &text, "item", g->n_items);
            put(&text, "%s\n", PARTS[below(g, 5)]);
        }
        save(g, FILES[f], &text);
    }
}

void projects_write(check_folder *folder, size_t number) {
    generator g = {.folder = folder,
                   .random = number,
                   .queries = (int)number % 3,
                   .by = (int)number % 5,
                   .n_items = number >= PROJECTS_LARGE ? 3000 : 20 + number * 20,
                   .n_users = number >= PROJECTS_LARGE ? 2000 : 15 + number * 8,
                   .n_pairs = number >= PROJECTS_LARGE ? 30000 : 100 + number * 80};
    write_project(&g);
    write_items(&g);
    write_users(&g);
    write_pairs(&g);
}
