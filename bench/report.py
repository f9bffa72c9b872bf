"""Prints the tables of a benchmark run, and writes them down."""

import datetime
import json
import os
import platform
import re

import programs


def memory_available_mb():
    """What new programs could take."""
    with open("/proc/meminfo", encoding="utf-8") as file:
        return int(re.search(r"MemAvailable:\s+(\d+)", file.read()).group(1)) * 1024 / 1e6


def processor():
    """Its name and the vector instructions that matter here."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        text = file.read()
    name = re.search(r"model name\s*:\s*(.*)", text)
    found = re.search(r"^flags\s*:\s*(.*)$", text, re.M)
    flags = found.group(1).split() if found else []
    known = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    there = " ".join(flag for flag in known if flag in flags)
    return f"{name.group(1) if name else platform.processor()}, {os.cpu_count()} cores, {there}"


def heading(bench):
    """Machine, date, versions."""
    yield f"Diptych benchmark, {datetime.datetime.now():%Y-%m-%d %H:%M}"
    yield f"machine   {processor()}; {platform.system()} {platform.release()}"
    yield (
        f"versions  oneDNN {bench.onednn} (Diptych), "
        + (f"PyTorch {bench.torch}" if bench.python else f"no PyTorch ({bench.torch})")
        + f", Python {platform.python_version()}"
    )
    spin = " ".join(f"{key}={value}" for key, value in programs.SPIN.items())
    yield f"spinning  {spin} for Diptych, as its command sets for itself"
    for (precision, threads), entry in sorted(bench.limits.items()):
        yield (
            f"limit     {precision} {threads} threads: {entry['gflops']:7,.0f} GFLOP/s by "
            f"{entry['by']}; best product {entry['product_gflops']:,.0f} ({entry['product_shape']})"
        )


def number(value, form):
    """Formatted, or a dash."""
    return format(value, form) if value is not None else "-"


def training(rows, phases):
    """The table of training settings."""
    yield (
        f"{'setting':30} {'examples/s':>11} {'limit':>6} {'/best':>6} {'/deflt':>6} {'KB/ex':>6} "
        f"{'RSS MB':>7} {'alloc':>5} {'others':>6}  ms a step: "
        + " ".join(f"{name:>8}" for name in phases)
    )
    # A star: other programs were at work, so the rate is too low.
    for row in rows:
        times = " ".join(f"{row['phases'].get(name, 0):8.2f}" for name in phases)
        yield (
            f"{row['name']:30} {row['examples_per_s']:11,.0f} {100 * row['limit_fraction']:5.1f}% "
            f"{number(row['ratio_to_pytorch'], '6.2f'):>6} "
            f"{number(row['ratio_to_pytorch_default'], '6.2f'):>6} "
            f"{row['bytes_per_example'] / 1e3:6.0f} {row['peak_rss_mb']:7,.0f} "
            f"{row['allocations_per_step']:5.1f} {row['others_cores']:5.2f}"
            f"{'*' if row['disturbed'] else ' '}  {row['ms_per_step']:9.2f}: {times}"
        )


def beside(rows):
    """What PyTorch did at the settings that were measured beside it."""
    yield (
        f"{'beside PyTorch, taking turns':30} {'Diptych':>9} {'best':>9} {'default':>9} "
        f"{'RSS MB':>7} {'PyTorch':>8} {'- import':>8} {'ssl cost':>8}"
    )
    for row in rows:
        yield (
            f"{row['name']:30} {row['examples_per_s']:9,.0f} "
            f"{row.get('pytorch_examples_per_s', 0):9,.0f} "
            f"{row.get('pytorch_default_examples_per_s', 0):9,.0f} {row['peak_rss_mb']:7,.0f} "
            f"{row['pytorch_rss_mb']:8,.0f} {row['pytorch_rss_above_import_mb']:8,.0f} "
            f"{number(row.get('step_cost_of_ssl'), '8.2f'):>8}"
        )


def table_sizes(rows):
    """Step time by rows of a table."""
    yield (
        f"{'rows of the id table':>20} {'ms a step':>10} {'to the first':>12} "
        f"{'load':>6} {'update':>7}"
    )
    for row in rows:
        yield (
            f"{row['table_rows']:20,} {1e3 * row['batch'] / row['examples_per_s']:10.2f} "
            f"{number(row['step_to_first'], '12.2f'):>12} "
            f"{row['phases'].get('load', 0):6.2f} {row['phases'].get('update', 0):7.2f}"
        )


def ranking(found):
    """Evaluation."""
    for entry in found:
        yield (
            f"exact top-{entry['k']} of {entry['queries']:,} x {entry['items']:,}, "
            f"d = {entry['dim']}, {entry['threads']} threads: {entry['gflops']:,.0f} GFLOP/s, "
            f"{100 * entry['fraction_of_fp32']:.0f}% of the fp32 limit, "
            f"{100 * entry['fraction_of_bf16']:.0f}% of the bf16 limit; 1M x 1M: "
            f"{entry['minutes_for_1m_x_1m']:.1f} minutes"
        )


def sections(bench):
    """All lines, with an empty one between sections."""
    rows = [row for row in bench.rows if "table_rows" not in row]
    tables = [row for row in bench.rows if "table_rows" in row]
    paired = [row for row in rows if row["pytorch_rss_mb"] is not None]
    phases = list(rows[0]["phases"]) if rows else []
    order = sorted(rows, key=lambda row: (row["precision"], row["items"], row["ssl"] != "none",
                                          row["batch"], row["dim"], -row["threads"]))  # fmt: skip
    parts = [heading(bench)]
    if order:
        parts.append(training(order, phases))
    if paired:
        parts.append(beside(paired))
    if bench.tried:
        parts.append(
            ["PyTorch, examples/s by way (cfm, batch 1024, dim 64); the first is its best"]
            + [f"  {rate:9,.0f}  {name}" for name, rate in bench.tried]
        )
    if tables:
        parts.append(table_sizes(tables))
    if bench.rank:
        parts.append(ranking(bench.rank))
    if bench.notes:
        parts.append(bench.notes)
    for i, part in enumerate(parts):
        if i > 0:
            yield ""
        yield from part


def write(bench):
    """Prints the tables and writes the files."""
    text = "\n".join(sections(bench)) + "\n"
    path = os.path.join(bench.args.out, bench.args.stem)
    print("\n" + text, flush=True)
    os.makedirs(bench.args.out, exist_ok=True)
    with open(path + ".txt", "w", encoding="utf-8") as file:
        file.write(text)
    if bench.rows:
        with open(path + ".json", "w", encoding="utf-8") as file:
            json.dump(bench.rows, file, indent=1)
            file.write("\n")
    rest = {
        "limits": list(bench.limits.values()),
        "pytorch_ways": [{"way": name, "examples_per_s": rate} for name, rate in bench.tried],
        "rank": bench.rank,
        "notes": bench.notes,
    }
    with open(path + "-more.json", "w", encoding="utf-8") as file:
        json.dump(rest, file, indent=1)
        file.write("\n")
