# SPDX-License-Identifier: Apache-2.0
"""The least CPU that a gigabyte could cost on this machine: what the kernel's tunnel costs without encryption, a copy at each
of the crossings into and out of user space, one sealing, one opening. docs/BENCHMARKS.md, "Cost model"."""

from samples import OWN, median, of_rounds

PAYLOAD = 1362  # of TCP in one of micro.c's full datagrams
COPIES = 4  # TAP to user, user to socket, socket to user, user to TAP


def terms(results):
    """Copies, and sealing with opening, in CPU seconds per GB."""
    per_gb = {step: ns / PAYLOAD for step, ns in results["micro"].items()}  # ns per byte are seconds per GB
    return COPIES * per_gb["copy"], per_gb["seal"] + per_gb["open"]


def shares(results, link):
    """What of the limit was reached, in each round: of VXLAN's median, as the limit is one for all."""
    kernel = median(results, link, "vxlan", "machine")
    return [(kernel + sum(terms(results))) / own for own in of_rounds(results, link, OWN, "machine")] if kernel else []


def text(results, link):
    kernel, own = median(results, link, "vxlan", "machine"), median(results, link, OWN, "machine")
    if not kernel or not own:
        return ""
    copies, ciphers = terms(results)
    least, cores = kernel + ciphers + copies, results["machine"]["cores"]
    null = median(results, link, "null", "machine")
    lines = [f"cost model, {link} link, CPU seconds per GB, both ends, iperf3 included (TCP, 1 stream):",
             f"  kernel's VXLAN, without encryption{kernel:10.2f}   measured in this run",
             f"  {COPIES} copies{copies:34.2f}   {results['micro']['copy']:.0f} ns per datagram and copy, in cache, median",
             f"  sealing and opening{ciphers:25.2f}   {results['micro']['seal']:.0f} + {results['micro']['open']:.0f} ns per full datagram, medians",
             f"  the limit{least:35.2f}   = {cores * 8 / least:.2f} Gbit/s with {cores} busy cores",
             f"  own, no cipher{null:30.2f}" if null else "",
             f"  ShadowMesh{own:34.2f}   {least / own:.0%} of the limit"]
    return "\n".join(filter(None, lines))
