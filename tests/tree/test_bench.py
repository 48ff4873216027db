# SPDX-License-Identifier: Apache-2.0
"""The list by which `make bench-check` passes or fails: it can do both."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "netns")]

import goals  # noqa: E402
import rows  # noqa: E402
from samples import OWN  # noqa: E402

ROUNDS = 3
MICRO = {"copy": 40.0, "seal": 270.0, "open": 240.0}


def results():
    """All that the list asks for, reached: the other programs have 100 of everything, ShadowMesh just what is needed."""
    samples = {link: {key: {row.key: [100.0] * ROUNDS for row in rows.ROWS} for key in goals.programs_needed()} for link in ("default", "wire")}
    for link, programs in samples.items():
        programs[OWN]["tcp1"] = [2000.0] * ROUNDS
        for goal in goals.GOALS:
            if goal.link == link and goal.row not in ("tcp1", goals.SHARE):
                base = {None: 1.0, goals.ITSELF: 2000.0}.get(goal.over, 100.0)
                programs[OWN][goal.row] = [base * goal.bound] * ROUNDS
    return {"samples": samples, "micro": MICRO}


def shown(found):
    return "\n".join(goals.text(found, link) for link in found["samples"])


def test_list_passes_when_everything_is_reached():
    found = results()
    assert goals.all_reached(found)
    assert shown(found).count("reached ") == len(goals.GOALS)


@pytest.mark.parametrize("goal", goals.GOALS, ids=lambda goal: f"{goal.link}-{goal.row}-{goal.over}")
def test_list_fails_by_each_that_is_not_reached(goal):
    found = results()
    own = found["samples"][goal.link][OWN]
    row = "machine" if goal.row == goals.SHARE else goal.row
    own[row] = [value * (10 if goal.sense == "≤" or goal.row == goals.SHARE else 0.001) for value in own[row]]
    assert not goals.all_reached(found)
    assert "SHORT" in goals.text(found, goal.link)


def test_list_fails_by_what_was_not_measured():
    found = results()
    found["samples"]["default"][OWN]["idle50"] = []
    assert not goals.all_reached(found)
    assert "—" in shown(found)


def test_the_median_of_the_rounds_counts():
    found = results()
    found["samples"]["default"][OWN]["load99"] = [0.9, 50.0, 1.0]
    assert goals.all_reached(found)
    found["samples"]["default"][OWN]["load99"] = [0.9, 50.0, 1.1]
    assert not goals.all_reached(found)


def test_every_figure_of_the_list_is_measured():
    known = {*rows.Meter.STEPS, "loss"}
    for goal in goals.GOALS:
        assert goals.steps_needed(goal.link, OWN)
        if goal.over and goal.over != goals.ITSELF:
            assert goals.steps_needed(goal.link, goal.over)
    for link in ("default", "wire"):
        for key in goals.programs_needed():
            assert goals.steps_needed(link, key) <= known
    assert "tcp1" in goals.steps_needed("default", "vxlan")
