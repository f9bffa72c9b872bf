#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/vectors/tsne.txt: vectors of real pages and the map that scikit-learn draws of them.

    python3 tools/gen_tsne.py            # needs scikit-learn and the zstd program

The vectors are the leading components of the words of titles and keywords of data/docs-small, for
1000 pages of its ten largest sections, as signed bytes: a row times any factor has the same
direction, so readers normalise it. No two are equal: which of many equally near neighbours count is
a matter of taste, and the comparison is of something else. After a line
"pages N dims D" there is a line a page: section, D bytes in hexadecimal, x and y.
"""
import collections
import io
import pathlib
import subprocess

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.manifold import TSNE

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGES, DIMS, SECTIONS = 1000, 20, 10


def pages():
    """(section, text) of all pages of the largest sections."""
    text = subprocess.run(["zstd", "-dc", ROOT / "data/docs-small/items.tsv.zst"], check=True,
                          capture_output=True).stdout.decode()
    rows = [line.split("\t") for line in io.StringIO(text).read().split("\n")[1:] if line]
    counts = collections.Counter(row[2] for row in rows)
    largest = [name for name, _ in counts.most_common(SECTIONS)]
    return [(largest.index(row[2]), row[1] + " " + row[3].replace("|", " "))
            for row in rows if row[2] in largest]


def main():
    """Writes the file."""
    chosen = pages()
    chosen = [chosen[i] for i in np.random.default_rng(1).permutation(len(chosen))[:3 * PAGES]]
    words = TfidfVectorizer(token_pattern=r"[A-Za-z][a-z]+", min_df=3, sublinear_tf=True)
    counts = words.fit_transform([text for _, text in chosen])
    parts = TruncatedSVD(DIMS, random_state=1).fit_transform(counts)
    scale = np.maximum(np.abs(parts).max(axis=1, keepdims=True), 1e-9)
    coded = np.rint(127 * parts / scale).astype(np.int8)
    _, first = np.unique(coded, axis=0, return_index=True)
    first = [i for i in sorted(first) if coded[i].any()][:PAGES]
    coded, chosen = coded[first], [chosen[i] for i in first]
    vectors = coded / np.linalg.norm(coded.astype(float), axis=1, keepdims=True)
    model = TSNE(perplexity=30, init="pca", learning_rate="auto", max_iter=1000, random_state=1)
    points = model.fit_transform(vectors.astype(np.float32))
    with open(ROOT / "tests/vectors/tsne.txt", "w", encoding="utf-8") as file:
        file.write("# tools/gen_tsne.py wrote this file.\npages %d dims %d\n" % (PAGES, DIMS))
        for (section, _), row, (x, y) in zip(chosen, coded, points):
            file.write("%d %s %.3f %.3f\n" % (section, row.tobytes().hex(), x, y))
    print("%d pages, KL divergence %.4f" % (len(chosen), model.kl_divergence_))


if __name__ == "__main__":
    main()
