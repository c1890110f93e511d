#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""
picture.py FILE.svg - the picture of `make bench`, of what stdin says in JSON

A list, from the top: {"label"} is a part's title; {"label", "gain", "verdict",
"words"} a bar, as long as it is times better than the best peer.
"""

import json
import sys

import matplotlib

matplotlib.use("svg")
# The same file for the same figures.
matplotlib.rcParams.update({
    "svg.hashsalt": "paravane", "svg.fonttype": "none", "font.size": 8,
    "font.family": "sans-serif"})
from matplotlib import pyplot   # noqa: E402 (after the choice of its back end)

COLOUR = {"met": "#2a7f4f", "missed": "#b03030"}
GREY = "#8a8a8a"


def draw(bars):
    fig, ax = pyplot.subplots(figsize=(9, 0.6 + 0.19 * len(bars)))
    gains = [bar["gain"] for bar in bars if "gain" in bar] + [1]
    most, least = max(gains), min(gains)
    for y, bar in enumerate(bars):
        if "gain" not in bar:
            continue
        value = bar["gain"]
        ax.barh(y, value - 1, left=1, height=0.7,
                color=COLOUR.get(bar["verdict"], GREY))
        ax.text(max(value, 1) * 1.04, y, f"{value:.3g}×  {bar['words']}",
                va="center", fontsize=6.5)
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_xscale("log")
    ax.set_xlim(least / 1.15, most * (most / least) ** 0.6 * 2)
    ax.set_yticks(range(len(bars)), [bar["label"] for bar in bars])
    for tick, bar in zip(ax.get_yticklabels(), bars):
        if "gain" not in bar:
            tick.set_fontweight("bold")
    ax.set_ylim(len(bars) - 0.4, -0.6)
    ax.tick_params(length=0)
    ax.xaxis.set_major_formatter(lambda v, _: f"{v:g}×")
    ax.xaxis.set_minor_formatter(lambda v, _: "")
    for side in ("top", "right", "left"):
        ax.spines[side].set_visible(False)
    ax.set_title("Times as good as the best peer, in turns on one machine "
                 "(green: goal met; red: missed; grey: no goal set)",
                 fontsize=8, loc="right")
    return fig


def main():
    fig = draw(json.load(sys.stdin))
    fig.savefig(sys.argv[1], bbox_inches="tight",
                metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
