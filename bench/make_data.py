#!/usr/bin/env python3
"""Synthetic catalogues for the benchmark: five features, planted clusters, Zipf-popular pairs.

Every item belongs to one of 1,000 clusters. Its category is the cluster (with some noise), its
group is one of 50, most of its tags and words come from the cluster's own few. A pair's item is
drawn by popularity (Zipf) and its query is most often an item of the same family, a cluster or,
in a small catalogue, several of them, so that there is something to learn. The same arguments give
the same bytes. Standard library only.
"""

import argparse
import itertools
import os
import random
import subprocess
import sys

CATEGORIES, GROUPS, TAGS, WORDS = 1000, 50, 5000, 20000
OWN_TAGS, OWN_WORDS = 12, 40  # of a cluster
SAME_FAMILY = 0.8  # share of the pairs that stay in a family
FAMILY_ITEMS = 200  # items of a family, at least

PROJECT = """\
# Made by bench/make_data.py.
items:
  file: items.tsv
  id: item_id
  title: title
  features:
    item_id:  {{type: id{buckets}}}
    category: {{type: categorical}}
    group:    {{type: categorical}}
    tags:     {{type: bag, separator: "|"}}
    title:    {{type: text}}
interactions: {{file: interactions.tsv, query: query_id, item: item_id}}
split: {{test: 0.02, validation: 0.01}}
"""


def zipf(n, exponent, shift):
    """Cumulative weights 1 / (rank + shift)^exponent."""
    return list(itertools.accumulate((i + shift) ** -exponent for i in range(n)))


def own_or_any(draw, n, cluster, own, total, common):
    """n values: most from the cluster's own, the rest Zipf-popular ones; without repeats."""
    base = cluster * total // CATEGORIES
    wanted = sum(draw() < 0.7 for _ in range(n))
    values = {(base + int(own * draw() * draw())) % total for _ in range(wanted)}
    for _ in range(n - wanted):
        values.add(common[int(draw() * len(common))])
    return sorted(values)


def write_items(path, n, rng):
    """One line an item; returns the cluster of each."""
    draw = rng.random
    # A long list of popular values to index into is much faster than a search for each.
    common_tags = rng.choices(range(TAGS), cum_weights=zipf(TAGS, 1.0, 20), k=200_000)
    common_words = rng.choices(range(WORDS), cum_weights=zipf(WORDS, 1.0, 20), k=400_000)
    clusters = [0] * n
    with open(path, "w", encoding="utf-8") as file:
        file.write("item_id\tcategory\tgroup\ttags\ttitle\n")
        for i in range(n):
            cluster = clusters[i] = int(draw() * CATEGORIES)
            category = cluster if draw() < 0.9 else int(draw() * CATEGORIES)
            group = cluster % GROUPS if draw() < 0.9 else int(draw() * GROUPS)
            tags = own_or_any(draw, 2 + int(draw() * 5), cluster, OWN_TAGS, TAGS, common_tags)
            words = own_or_any(draw, 4 + int(draw() * 5), cluster, OWN_WORDS, WORDS, common_words)
            file.write(
                f"i{i}\tc{category}\tg{group}\t"
                + "|".join(f"t{tag}" for tag in tags)
                + "\t"
                + " ".join(f"w{word}" for word in words)
                + "\n"
            )
    return clusters


def write_pairs(path, n, clusters, rng):
    """Distinct pairs, one a line."""
    items = len(clusters)
    families = max(1, min(CATEGORIES, items // FAMILY_ITEMS))
    members = [[] for _ in range(families)]
    for item, cluster in enumerate(clusters):
        members[cluster % families].append(item)
    order = list(range(items))
    rng.shuffle(order)
    draw = rng.random
    popular = rng.choices(order, cum_weights=zipf(items, 0.8, 10), k=n)
    seen = set()
    with open(path, "w", encoding="utf-8") as file:
        file.write("query_id\titem_id\n")
        for item in popular:
            own = members[clusters[item] % families]
            same = draw() < SAME_FAMILY
            query = own[int(draw() * len(own))] if same else int(draw() * items)
            if query != item and (query, item) not in seen:
                seen.add((query, item))
                file.write(f"i{query}\ti{item}\n")


def main():
    """Writes the raw files and, given the command, prepares the dataset."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", help="where the files go; DATASET is FOLDER/data.dip")
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--pairs", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--diptych", help="the command, to prepare the dataset")
    parser.add_argument(
        "--hash-buckets", type=int, default=0, help="rows of the id's table, instead of one an id"
    )
    parser.add_argument("--raw", help="take items.tsv and interactions.tsv from this folder")
    args = parser.parse_args()
    os.makedirs(args.folder, exist_ok=True)
    rng = random.Random(args.seed)
    if args.raw:
        for name in ("items.tsv", "interactions.tsv"):
            link = os.path.join(args.folder, name)
            if not os.path.lexists(link):
                os.symlink(os.path.abspath(os.path.join(args.raw, name)), link)
    else:
        clusters = write_items(os.path.join(args.folder, "items.tsv"), args.items, rng)
        write_pairs(os.path.join(args.folder, "interactions.tsv"), args.pairs, clusters, rng)
    buckets = f", hash_buckets: {args.hash_buckets}" if args.hash_buckets else ""
    project = os.path.join(args.folder, "project.yaml")
    with open(project, "w", encoding="utf-8") as file:
        file.write(PROJECT.format(buckets=buckets))
    if args.diptych:
        dataset = os.path.join(args.folder, "data.dip")
        command = [args.diptych, "prepare", project, "-o", dataset, "-q", "--force"]
        sys.exit(subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode)


if __name__ == "__main__":
    main()
