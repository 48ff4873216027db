# SPDX-License-Identifier: Apache-2.0
"""What happens to a stream and to pings when the path that carries them fails: see failover.py.

How long they stand still is printed. What is asserted leaves room for a machine that does much else.
"""

import failover
import lab as labs
import pytest
from failover import FAULTS
from lab import A_OVERLAY, PATIENCE

ROOM = 2  # s


@pytest.mark.parametrize("name", FAULTS)
def test_stream_goes_on_when(lab, figure, name):
    fault = FAULTS[name]
    outcome = failover.outcome_of(fault.begin(lab), fault)
    figure(f"{name}: {outcome.pings_s:.2f} s without a ping, {outcome.stream_s:.1f} s without data, then {outcome.carries}")
    assert fault.carries in (outcome.carries, None)
    if fault.limit:
        assert max(outcome.pings_s, outcome.stream_s) < (fault.limit + ROOM) * PATIENCE
    else:
        assert max(outcome.pings_s, outcome.stream_s) < ROOM * PATIENCE


def test_straight_path_that_was_cut_carries_again_when_it_is_back(lab, figure):
    pair = failover.Pair(lab)
    failover.FAULTS["the straight path is cut"].happens(pair)
    pings = pair.b.host.ping_stream(A_OVERLAY)
    labs.wait_for(lambda: failover.kind_of(pair) == "relay", 5, "the backbone's relay carries")
    pings.wait_replies(100, 5)
    at = pings.last()
    pair.inet.run("nft", "flush", "ruleset")
    labs.wait_for(lambda: failover.kind_of(pair) == "direct", 40, "the straight path carries again")
    pings.wait_replies(100, 5)
    pings.stop()
    gap = pings.longest_gap(after=at)
    figure(f"the straight path is back: {gap:.2f} s without a ping")
    assert gap < ROOM * PATIENCE
