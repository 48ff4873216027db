# SPDX-License-Identifier: Apache-2.0
"""Whether two sites can have a direct path: computed from what their routers' rules do (routers.py), and from nothing
that a node finds out or says. So a node that gives up too soon is seen, and so is one that believes too much.

Each end may know as what the other is seen by a third party, may look at new mappings of its own, and may send first.
What comes in at an end has to come by a mapping whose port the sender can know, past a filter that the end has opened.
"""

from routers import ANYBODY, ASKED_HOSTS, AT_RANDOM, BY_SOCKET, has

DIRECT, CHANCE, NEVER = "direct", "by chance", "never"


def _foreseeable(rules):
    """Whether others can know the port that a socket will have towards a new end."""
    return rules.mapping != AT_RANDOM


def _gets_in(sender, receiver):
    """Whether what the sender sends first can come in at the receiver."""
    opened = receiver.filtering in (ANYBODY, ASKED_HOSTS) or _foreseeable(sender)
    return _foreseeable(receiver) and opened


def _birthday(drawn, kept):
    """Many sockets whose ports nobody knows, and many tries at one that is known: some may meet."""
    return drawn.mapping == AT_RANDOM and kept.mapping == BY_SOCKET


def of_rules(a, b):
    """The best that can come of two routers' rules for one family."""
    if not (a.udp and b.udp):
        return NEVER
    if _gets_in(a, b) or _gets_in(b, a):
        return DIRECT
    return CHANCE if _birthday(a, b) or _birthday(b, a) else NEVER


def of_kinds(a, a_family, b, b_family):
    """… of two kinds of router, each with a family as Site has it, that share nothing but the internet."""
    versions = (("IPv4", a.rules4, b.rules4), ("IPv6", a.rules6, b.rules6))
    found = {of_rules(a_rules, b_rules) for version, a_rules, b_rules in versions
             if has(a_family, version) and has(b_family, version)}
    return next((outcome for outcome in (DIRECT, CHANCE) if outcome in found), NEVER)
