# SPDX-License-Identifier: Apache-2.0
"""What ShadowMesh is to reach, as a list of what it reached and what it did not: a part of every report, and all of `make
bench-check`, which whoever changes the data path runs by hand. TCP's figures are meant with CUBIC."""

import statistics
from typing import NamedTuple

import cost
import programs
from rows import ROWS
from samples import OWN, half_range, of_rounds

CONGESTION = "cubic"
ITSELF = "itself"  # against its own single stream
SHARE = "share"  # of the cost model's limit
STEPS = {"idle50": "idle", "idle99": "idle", "load50": "load", "load99": "load", "cpu": "tcp1", "machine": "tcp1"}


class Goal(NamedTuple):
    link: str
    row: str
    over: str | None  # what it is divided by: a program, itself, or nothing
    sense: str
    bound: float


GOALS = [
    Goal("default", "tcp1", "vxlan", "≥", 0.50),
    Goal("default", "tcp4", ITSELF, "≥", 1.05),
    Goal("default", "both", ITSELF, "≥", 1.05),
    Goal("default", "loss", "vxlan", "≥", 1.5),
    Goal("default", "udp64", "vxlan", "≥", 0.9),
    Goal("default", "udp1344", "vxlan", "≥", 1.0),
    Goal("default", "idle50", None, "≤", 0.050),
    Goal("default", "idle99", None, "≤", 0.110),
    Goal("default", "load50", None, "≤", 0.150),
    Goal("default", "load99", None, "≤", 1.0),
    Goal("default", "cpu", None, "≤", 0.65),
    Goal("default", "rss", None, "≤", 10),
    Goal("default", "tcp1", "wireguard-go", "≥", 5),
    Goal("default", "tcp1", "openvpn", "≥", 15),
    Goal("default", "tcp1", "nebula", "≥", 20),
    Goal("default", SHARE, None, "≥", 0.70),
    Goal("wire", "tcp1", "vxlan", "≥", 0.95),
    Goal("wire", "tcp4", ITSELF, "≥", 1.0),
]


def programs_needed():
    return [key for key in programs.ALL if key == OWN or key in {goal.over for goal in GOALS}]


def steps_needed(link, key):
    """Of a program: the steps (rows.Meter) that a goal asks for."""
    rows = set()
    for goal in GOALS:
        if goal.link == link and key in (OWN, goal.over):
            rows.add("tcp1" if goal.row == SHARE else goal.row)
        if goal.link == link and goal.row == SHARE and key == "vxlan":
            rows.add("tcp1")
        if goal.link == link and goal.over == ITSELF and key == OWN:
            rows.add("tcp1")
    return {STEPS.get(row, row) for row in rows}


def values(results, goal):
    """Of each round; [] where something is missing."""
    if goal.row == SHARE:
        return cost.shares(results, goal.link)
    own = of_rounds(results, goal.link, OWN, goal.row)
    if not goal.over:
        return own
    key, row = (OWN, "tcp1") if goal.over == ITSELF else (goal.over, goal.row)
    other = of_rounds(results, goal.link, key, row)
    if len(own) != len(other):  # some round lacks one: only the medians go together
        return [statistics.median(own) / statistics.median(other)] if own and other else []
    return [mine / theirs for mine, theirs in zip(own, other)]


def reached(goal, found):
    middle = statistics.median(found)
    return middle >= goal.bound if goal.sense == "≥" else middle <= goal.bound


def title(goal):
    if goal.row == SHARE:
        return "share of the cost model's limit", ""
    row = next(row for row in ROWS if row.key == goal.row)
    if not goal.over:
        return row.title, f" {row.unit}"
    return f"{row.title} / {'1 stream' if goal.over == ITSELF else programs.ALL[goal.over].title}", "×"


def line(results, goal):
    what, unit = title(goal)
    found = values(results, goal)
    if not found:
        return f"  {'—':<9}{what}"
    word = "reached" if reached(goal, found) else "SHORT"
    return (f"  {word:<9}{what:<46}{statistics.median(found):8.3g}{unit:<7}±{f'{half_range(found):.0f}%':<5}"
            f"(to reach: {goal.sense} {goal.bound:g}{unit.rstrip()})")


def text(results, link):
    lines = [line(results, goal) for goal in GOALS if goal.link == link]
    return "\n".join([f"what ShadowMesh is to reach with {CONGESTION}, {link} link:", *lines]) if lines else ""


def all_reached(results):
    found = [(goal, values(results, goal)) for goal in GOALS if goal.link in results["samples"]]
    return all(rounds and reached(goal, rounds) for goal, rounds in found)
