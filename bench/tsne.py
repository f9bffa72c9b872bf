# SPDX-License-Identifier: Apache-2.0
"""Maps of 10, 50 and 100 thousand made-up item vectors, and openTSNE's beside them.

    python3 bench/tsne.py --build build/default [--python PYTHON] [--sizes 10000 50000 100000]
                          [--other-sizes 10000] [--out bench/tsne.txt]

PYTHON is one with openTSNE; without it there is no comparison. Both draw the same vectors with
perplexity 30, 1000 iterations of ours and 250 + 750 of its, from principal components. CPU seconds
are of user and system over all threads; where others use the machine, they say more than seconds.
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import tempfile

import programs
import report

OTHER = """
import json, os, resource, sys, time
import numpy as np, openTSNE
path, dim, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
vectors = np.fromfile(path, np.float32).reshape(-1, dim)
begin = time.time()
model = openTSNE.TSNE(perplexity=30, early_exaggeration_iter=250, n_iter=750, random_state=1,
                      n_jobs=threads, neighbors=sys.argv[4])
points = model.fit(vectors)
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"items": len(vectors), "seconds": time.time() - begin,
                  "cpu_seconds": usage.ru_utime + usage.ru_stime,
                  "peak_rss_mb": usage.ru_maxrss / 1024, "kl": points.kl_divergence,
                  "version": openTSNE.__version__}))
"""
DIM = 128


def run(command, environment=None):
    """The JSON object that a command prints last."""
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                          env=environment).stdout
    return json.loads(text.strip().split("\n")[-1])


def ours(args, items):
    """One map of ours."""
    return run([os.path.join(args.build, "bench", "bench_tsne"), "--items", str(items), "--dim",
                str(DIM), "--threads", str(args.threads)],
               dict(os.environ, **programs.SPIN))


def other(args, items):
    """One map of openTSNE's, of the same vectors."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "vectors.f32")
        subprocess.run([os.path.join(args.build, "bench", "bench_tsne"), "--items", str(items),
                        "--dim", str(DIM), "--save", path], check=True)
        return run([args.python, "-c", OTHER, path, str(DIM), str(args.threads), args.neighbours])


def lines(args):
    """The table."""
    yield f"t-SNE of item vectors, {datetime.datetime.now():%Y-%m-%d %H:%M}"
    yield f"machine   {report.processor()}; {platform.system()} {platform.release()}"
    yield f"load      {os.getloadavg()[0]:.1f} before the run; {args.threads} threads, {DIM} wide"
    yield "                    items  seconds    CPU s  peak RSS  KL divergence"
    row = "{:16}{:9,d}{:9.1f}{:9.1f}{:7.0f} MB  {:13.4f}"
    for items in args.sizes:
        r = ours(args, items)
        yield row.format("diptych", items, r["seconds"], r["cpu_seconds"], r["peak_rss_mb"],
                         r["kl"])
    for items in args.other_sizes if args.python else []:
        r = other(args, items)
        yield row.format("openTSNE " + r["version"], items, r["seconds"], r["cpu_seconds"],
                         r["peak_rss_mb"], r["kl"])


def main():
    """Prints the lines as they come, and keeps them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", default="build/default")
    parser.add_argument("--python")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10000, 50000, 100000])
    parser.add_argument("--other-sizes", type=int, nargs="*", default=[10000])
    parser.add_argument("--neighbours", default="exact", choices=["exact", "approx", "auto"])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out")
    args = parser.parse_args()
    text = []
    for line in lines(args):
        print(line, flush=True)
        text.append(line + "\n")
    if args.out:
        with open(args.out, "w", encoding="utf-8") as file:
            file.writelines(text)


if __name__ == "__main__":
    main()
