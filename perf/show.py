# SPDX-License-Identifier: ISC
"""The results of `make bench` as a table for a terminal, as Markdown, as a picture."""

import json
import math
import os
import subprocess

import race

MARK = {"met": "met", "missed": "MISSED", "reported": "reported",
        "broken": "BROKEN"}


def number(row, value):
    value *= row.scale
    if row.form:
        return row.form.replace(":.", ":,.").format(value)
    if value == 0 or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def figure(result, racer):
    """Median, and the spread if there is one."""
    row, samples = result.row, result.samples.get(racer)
    if not samples:
        return "-"
    text = number(row, result.median(racer))
    low, high = number(row, min(samples)), number(row, max(samples))
    return text if low == high else f"{text} ({low} to {high})"


def ratio(result):
    value = result.ratio()
    if value is None:
        return ""
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def goal(result):
    return result.row.goal.words if result.row.goal else ""


def peers(result):
    best = result.best()
    return "; ".join(f"{racer} {figure(result, racer)}" for racer in sorted(
        result.row.racers[1:], key=lambda racer: racer != best))


def mark(result):
    return MARK[result.verdict()] + (
        ", but within the spread" if result.within_spread() else "")


def columns(result):
    """A row of the table, as words."""
    row, verdict = result.row, mark(result)
    return [f"{row.what}, {row.unit}", figure(result, result.ours),
            peers(result), ratio(result), goal(result),
            f"{verdict} {result.why()}".strip()]


def terminal(bench, parts):
    heads = ["", "this project", "peer", "ratio", "goal", ""]
    table = []
    for part in parts:
        results = bench.results.get(part.name)
        if results:
            table.append([f"{part.title} ({part.name}, "
                          f"{bench.took[part.name]:.0f} s)"])
            table += [columns(result) for result in results.values()]
    full = [heads] + [line for line in table if len(line) > 1]
    wide = [max(len(line[n]) for line in full) for n in range(len(heads))]
    lines = []
    for line in [heads] + table:
        if len(line) == 1:
            lines += ["", line[0]]
        else:
            lines.append("  ".join(text.ljust(w) for text, w in
                                   zip(line, wide)).rstrip())
    return "\n".join(lines)


def summary(bench):
    counts = {}
    for result in bench.all():
        counts.setdefault(result.verdict(), []).append(result.name)
    words = [f"{len(counts.get(k, []))} {k}" for k in MARK]
    lines = [f"{len(bench.all())} rows: " + ", ".join(words)]
    for k in ("missed", "broken"):
        if k in counts:
            lines.append(f"{k}: " + " ".join(counts[k]))
    doubtful = [r.name for r in bench.all() if r.within_spread()]
    if doubtful:
        lines.append("met or missed by less than the spread of the runs: "
                     + " ".join(doubtful))
    return "\n".join(lines)


def cell(text):
    return text.replace("|", "\\|")


def markdown(bench, parts):
    """doc/bench.md."""
    runs = f"{bench.runs} run{'s' * (bench.runs > 1)} in turns"
    if bench.quick:
        runs += ", short ones (`--quick`)"
    if bench.runs > 1:
        runs += ("; medians, and in brackets the least and the most. The "
                 "ratio is this\nproject's figure to the best peer's, the "
                 "median of that of neighbouring runs. \"Within the "
                 "spread\": the brackets overlap so far\nthat a goal which is "
                 "met would be missed by this project's worst figure beside "
                 "the best\nof any peer's, or one that is missed met by its "
                 "best beside their worst: more runs must tell.")
    else:
        runs += (": no medians and no spread, and what is timed may be far "
                 "off.\nThe ratio is this project's figure to the best "
                 "peer's.")
    lines = ["# `make bench`: what it showed", "",
             f"Written by `make bench ARGS=--write`. {runs}",
             "A goal is held against the ratio; \"itself\" against this "
             "project's figure. < 1 and ≤ are of costs, ≥ of rates.",
             "What each row is, and what was tried, kept and dropped for it: "
             "[speed.md](speed.md).", "",
             f"Machine: {race.machine()}. All guests, this project's and "
             "Linux's, run on an\narm64 processor that QEMU emulates (TCG): "
             "each instruction that a guest leaves out counts\nmore than on "
             "a real one, and QEMU's own work does too.", "",
             "![each row's ratio beside its goal](bench.svg)"]
    for part in parts:
        results = bench.results.get(part.name)
        if not results:
            continue
        versions = ", ".join(f"{k} {v}" for k, v in part.versions().items())
        lines += ["", f"## {part.title}", "",
                  " ".join(part.how.split())
                  + (f" ({versions}.)" if versions else ""), "",
                  "| | this project | peer | ratio | goal | |",
                  "|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join(map(cell, columns(result))) + " |"
                  for result in results.values()]
    return "\n".join(lines) + "\n"


def gain(result):
    """
    How many times better than the best peer, more is always better; None where
    the picture has no bar. What is missed always has one.
    """
    value = result.ratio()
    if result.verdict() == "broken" or not value or math.isinf(value):
        return None
    goal, picture = result.row.goal, result.row.picture
    if goal and not goal.drawn:
        return None
    if picture is None:
        picture = goal is not None
    if not picture and result.verdict() != "missed":
        return None
    return value if result.row.more else 1 / value


def bars(bench, parts):
    """Of the picture, from the top: a part's title, and below it its rows."""
    for part in parts:
        results = [r for r in bench.results.get(part.name, {}).values()
                   if gain(r) is not None]
        if results:
            yield {"label": part.title}
        for r in results:
            yield {"label": r.row.what, "gain": gain(r),
                   "verdict": r.verdict(),
                   "words": f"{number(r.row, r.median(r.ours))} / "
                   f"{number(r.row, r.median(r.best()))} {r.row.unit}, "
                   f"{r.best()}"}


def picture(bench, parts, path):
    """By the distribution's Python, which has the distribution's matplotlib."""
    subprocess.run(
        ["/usr/bin/python3", os.path.join(race.TOP, "perf", "picture.py"),
         path], input=json.dumps(list(bars(bench, parts))).encode(),
        check=True)


def write(bench, parts):
    """doc/bench.md and doc/bench.svg."""
    doc = os.path.join(race.TOP, "doc")
    picture(bench, parts, os.path.join(doc, "bench.svg"))
    with open(os.path.join(doc, "bench.md"), "w") as f:
        f.write(markdown(bench, parts))
