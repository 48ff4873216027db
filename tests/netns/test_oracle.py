# SPDX-License-Identifier: Apache-2.0
"""What the oracle says of pairs of routers, against what was found by hand, and what RFC 5128 says of punching."""

import oracle
import pytest
from oracle import CHANCE, DIRECT, NEVER
from routers import KINDS


def outcome(a, b, a_family="IPv4", b_family="IPv4"):
    return oracle.of_kinds(KINDS[a], a_family, KINDS[b], b_family)


@pytest.mark.parametrize("a, b, wanted", [
    ("none", "symmetric, random", DIRECT),
    ("full cone", "symmetric, random", DIRECT),
    ("address-restricted", "symmetric, random", DIRECT),
    ("port-restricted", "port-restricted", DIRECT),
    ("port-restricted", "symmetric, sequential", DIRECT),
    ("symmetric, sequential", "symmetric, sequential", DIRECT),
    ("double NAT", "port-restricted", DIRECT),
    ("port-restricted", "symmetric, random", CHANCE),
    ("symmetric, sequential", "symmetric, random", NEVER),
    ("symmetric, random", "symmetric, random", NEVER),
    ("none", "UDP blocked", NEVER),
    ("UDP blocked", "UDP blocked", NEVER),
])
def test_outcome_of_two_routers_does_not_depend_on_who_is_first(a, b, wanted):
    assert (outcome(a, b), outcome(b, a)) == (wanted, wanted)


def test_best_family_that_both_have_decides():
    assert outcome("symmetric, random", "symmetric, random", "dual", "dual") == DIRECT
    assert outcome("symmetric, random", "symmetric, random", "dual", "IPv4") == NEVER
    assert outcome("none", "none", "IPv4", "IPv6") == NEVER
    assert outcome("none", "UDP blocked", "dual", "dual") == NEVER
