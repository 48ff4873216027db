# SPDX-License-Identifier: Apache-2.0
"""What the rounds of `make bench` found: {"samples": {link: {program: {row: [value of each round]}}}, …}."""

import statistics

OWN = "shadowmesh"


def of_rounds(results, link, key, row):
    return results["samples"].get(link, {}).get(key, {}).get(row, [])


def median(results, link, key, row):
    values = of_rounds(results, link, key, row)
    return statistics.median(values) if values else None


def half_range(values):
    """Half of what lies between the rounds' extremes, in percent of the median."""
    middle = statistics.median(values)
    return 50 * (max(values) - min(values)) / middle if middle else 0
