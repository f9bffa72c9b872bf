/* SPDX-License-Identifier: Apache-2.0 */
#include "generate/recipe.h"

#include <math.h>
#include <string.h>

#define AT(member) offsetof(dip_recipe, member)

/* Queries ask for at most this share of the catalogue on average, and at most this many items, and
 * now and then for any item, so that drawing distinct ones stays cheap. */
#define MOST_WITHIN 0.95
enum { MOST_OF_ITEMS = 16, MOST_PAIRS_A_QUERY = 1000, LEAST_ITEMS_A_CLUSTER = 4 };

/* clang-format off */
static const dip_option ROWS[] = {
    {"items", DIP_OPTION_INTEGER, AT(items), "10000", 32, 1e9, NULL, "items of the catalogue"},
    {"pairs", DIP_OPTION_INTEGER, AT(pairs), "100000", 1, 1e10, NULL,
     "distinct pairs of a query and an item, exactly that many"},
    {"queries", DIP_OPTION_INTEGER, AT(queries), "0", 0, 1e9, NULL,
     "queries with features of their own; 0: the queries are the items"},
    {"format", DIP_OPTION_CHOICE, AT(format), "tsv", 0, 0, "tsv|dataset",
     "tables with a project file for prepare, or the dataset itself"},
    {"seed", DIP_OPTION_INTEGER, AT(seed), "1", 0, 9007199254740992.0, NULL,
     "another seed, another world"},
    {"threads", DIP_OPTION_INTEGER, AT(threads), "0", 0, 1024, NULL,
     "0 takes what OpenMP offers; the output has the same bytes for any number"},
    {"zipf", DIP_OPTION_NUMBER, AT(zipf), "1", 0, 1.5, NULL,
     "exponent of popularity: the item of rank r is chosen in proportion to r^-zipf"},
    {"within_cluster", DIP_OPTION_NUMBER, AT(within_cluster), "0.6", 0, 1, NULL,
     "share of the links that stay in the query's cluster"},
    {"within_group", DIP_OPTION_NUMBER, AT(within_group), "0.2", 0, 1, NULL,
     "share of the links that stay in the query's group of clusters"},
    {"groups", DIP_OPTION_INTEGER, AT(groups), "0", 0, 1e6, NULL,
     "groups of clusters; 0: about the square root of the clusters"},
    {"clusters", DIP_OPTION_INTEGER, AT(clusters), "0", 0, 1e7, NULL,
     "clusters of items, a multiple of groups; 0: about items^(2/3) / 2"},
    {"noise", DIP_OPTION_NUMBER, AT(noise), "0.1", 0, 1, NULL,
     "probability that a feature tells of a cluster drawn at random instead of the item's own"},
    {"test", DIP_OPTION_NUMBER, AT(test), "0.1", 0, 0.45, NULL, "share of the pairs for the test"},
    {"validation", DIP_OPTION_NUMBER, AT(validation), "0.05", 0, 0.45, NULL,
     "share of the pairs for the choice of the best epoch"},
    {"judge", DIP_OPTION_INTEGER, AT(judge), "100000", 1, 1e9, NULL,
     "the best possible metrics are measured on about this many queries; exact when there are no "
     "more"},
    {"truth", DIP_OPTION_SWITCH, AT(truth), "false", 0, 0, NULL,
     "write cluster, group and popularity rank of every item and query too"},
};
/* clang-format on */

const dip_option_table dip_recipe_table = {ROWS, sizeof ROWS / sizeof ROWS[0], "setting"};

static void choose_clusters(dip_recipe *recipe) {
    const double ideal =
        recipe->clusters > 0 ? (double)recipe->clusters : pow((double)recipe->items, 2.0 / 3) / 2;
    if (recipe->groups == 0) {
        recipe->groups = (int64_t)fmax(sqrt(ideal), 1);
        while (recipe->clusters > 0 && recipe->clusters % recipe->groups != 0) {
            recipe->groups--;
        }
    }
    if (recipe->clusters == 0) {
        recipe->clusters = recipe->groups * (int64_t)fmax(ideal / (double)recipe->groups, 1);
    }
}

dip_status dip_recipe_settle(dip_recipe *recipe, dip_error *err) {
    choose_clusters(recipe);
    if (recipe->clusters % recipe->groups != 0 ||
        recipe->clusters > recipe->items / LEAST_ITEMS_A_CLUSTER) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "clusters is %lld: it must be a multiple of groups (%lld) and leave a "
                        "cluster %d of the %lld items at least",
                        (long long)recipe->clusters, (long long)recipe->groups,
                        LEAST_ITEMS_A_CLUSTER, (long long)recipe->items);
    }
    if (recipe->within_cluster + recipe->within_group > MOST_WITHIN) {
        return dip_fail(
            err, DIP_ERR_USAGE,
            "within_cluster + within_group is %g: at most %g, because some queries have "
            "more links than their group has items",
            recipe->within_cluster + recipe->within_group, MOST_WITHIN);
    }
    const int64_t queries = recipe->queries > 0 ? recipe->queries : recipe->items;
    const int64_t share = recipe->items / MOST_OF_ITEMS;
    const int64_t most = share < MOST_PAIRS_A_QUERY ? share : MOST_PAIRS_A_QUERY;
    if (recipe->pairs > queries * most) {
        return dip_fail(err, DIP_ERR_USAGE,
                        "%lld pairs are too many: with %lld queries and %lld items at most %lld "
                        "(%lld a query); raise queries or items",
                        (long long)recipe->pairs, (long long)queries, (long long)recipe->items,
                        (long long)(queries * most), (long long)most);
    }
    return DIP_OK;
}

dip_status dip_recipe_to_json(const dip_recipe *recipe, json_t **json, dip_error *err) {
    json_t *object = NULL;
    DIP_TRY(dip_json_new_object(&object, err));
    for (size_t i = 0; i < dip_recipe_table.n; i++) {
        char text[DIP_VALUE_MAX];
        const dip_option *row = &dip_recipe_table.row[i];
        if (strcmp(row->key, "threads") == 0) {
            continue;
        }
        dip_options_get(row, recipe, text);
        const dip_status status = dip_json_set(object, row->key, json_string(text), err);
        if (status != DIP_OK) {
            json_decref(object);
            return status;
        }
    }
    *json = object;
    return DIP_OK;
}
