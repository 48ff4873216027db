# SPDX-License-Identifier: Apache-2.0
"""What `make bench` shows: tables of medians and ratios for the terminal, and a plot."""

import statistics
from html import escape

import programs
from rows import ROWS

WIDTH, FIRST = 15, 26
OWN = "shadowmesh"
LINK_TITLES = {"default": "underlay: veth as it comes (passes whole trains of packets)",
               "wire": "underlay: every packet alone, as on a wire (segmentation and GRO off)"}

# What ShadowMesh is meant to reach: (row, what it is divided by, bound); "best" is the best tunnel of user space.
GOALS = [
    ("tcp1", "vxlan", 0.33), ("tcp1", "null", 0.75), ("tcp1", "openvpn", 12), ("tcp1", "wireguard-go", 15),
    ("loss", "best", 1.0), ("udp64", "best", 1.3), ("idle50", "best", 1.0), ("load99", None, 2.0),
    ("cpu", "wireguard-go", 0.15), ("rss", None, 16.0), ("start", None, 0.5),
]


def median(results, link, key, row):
    values = results["samples"][link].get(key, {}).get(row, [])
    return statistics.median(values) if values else None


def spread(results, link, key, row):
    """Half of what lies between the rounds' extremes, in percent of the median."""
    values = results["samples"][link][key][row]
    middle = statistics.median(values)
    return 50 * (max(values) - min(values)) / middle if middle else 0


def titles(results, link):
    return [(key, programs.ALL[key].title) for key in results["samples"][link]] + \
           [(key, programs.ALL[key].title) for key in results["absent"]]


def shown(results, link):
    """The rows that were measured: of a run with --rows, not all."""
    return [row for row in ROWS if any(values[row.key] for values in results["samples"][link].values())]


def cell(results, link, key, row):
    value = median(results, link, key, row.key)
    if value is None:
        return "—"
    text = f"{value:.{row.digits}f}"
    return f"{text} ±{spread(results, link, key, row.key):.0f}%" if results["machine"]["rounds"] > 1 else text


def line(first, cells):
    return f"{first:<{FIRST + 9}}" + "".join(f"{text:>{WIDTH}}" for text in cells)


def table(results, link):
    columns = titles(results, link)
    lines = [LINK_TITLES[link], line("", [title for _, title in columns])]
    for row in shown(results, link):
        lines.append(line(f"{row.title:<{FIRST}}{row.unit}", [cell(results, link, key, row) for key, _ in columns]))
    return "\n".join(lines)


def ratio(own, other):
    return f"{own / other:.3g}×" if own is not None and other else "—"


def ratios(results, link):
    columns = [(key, title) for key, title in titles(results, link) if key != OWN]
    if OWN not in results["samples"][link] or not columns:
        return ""
    lines = ["ShadowMesh / …", line("", [title for _, title in columns])]
    for row in shown(results, link):
        own = median(results, link, OWN, row.key)
        sense = "more is better" if row.better is max else "less is better"
        cells = [ratio(own, median(results, link, key, row.key)) for key, _ in columns]
        lines.append(line(f"{row.title:<{FIRST}}", cells) + f"   {sense}")
    return "\n".join(lines)


def best(results, link, row):
    """The best other tunnel of user space, and its figure."""
    better = max if next(r for r in ROWS if r.key == row).better is max else min
    values = [(median(results, link, key, row), key) for key in results["samples"][link]
              if key != OWN and not programs.ALL[key].limit]
    values = [entry for entry in values if entry[0] is not None]
    return better(values) if values else (None, None)


def goal(results, link, row_key, other, bound):
    """One line: what was reached of what was meant; None when it cannot be said."""
    row = next(r for r in ROWS if r.key == row_key)
    value, name = median(results, link, OWN, row_key), ""
    if other:
        if other == "best":
            divisor, key = best(results, link, row_key)
        else:
            divisor, key = median(results, link, other, row_key), other
        if not divisor or value is None:
            return None
        value, name = value / divisor, f" / {programs.ALL[key].title}"
    if value is None:
        return None
    more = row.better is max
    reached = value >= bound if more else value <= bound
    unit = "×" if other else f" {row.unit}"
    return (f"  {'reached' if reached else 'SHORT':<9}{row.title + name:<46}{value:8.3g}{unit:<7}"
            f"(to reach: {'≥' if more else '≤'} {bound:g}{unit.rstrip()})")


def goals(results, link):
    lines = [goal(results, link, *entry) for entry in GOALS]
    for row_key in ("tcp4", "both"):
        own, one = median(results, link, OWN, row_key), median(results, link, OWN, "tcp1")
        if own and one:
            title = next(r.title for r in ROWS if r.key == row_key)
            lines.append(f"  {'reached' if own >= one else 'SHORT':<9}{title + ' / 1 stream':<46}{own / one:8.3g}{'×':<7}"
                         "(to reach: ≥ 1×)")
    return "\n".join(filter(None, lines))


PAYLOAD = 1362  # of TCP in one of micro.c's full datagrams
COPIES = 4  # TAP to user, user to socket, socket to user, user to TAP


def cost_model(results, link):
    """The least CPU that a gigabyte could cost here: what the kernel's tunnel costs without encryption, a copy at each of
    the crossings into and out of user space, one sealing, one opening."""
    kernel, own = median(results, link, "vxlan", "machine"), median(results, link, OWN, "machine")
    if not kernel or not own:
        return ""
    per_gb = {step: ns / PAYLOAD for step, ns in results["micro"].items()}  # ns per byte are seconds per GB
    ciphers, copies = per_gb["seal"] + per_gb["open"], COPIES * per_gb["copy"]
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


def reasons(results):
    lines = [f"  {programs.ALL[key].title}: {why}" for key, why in results["absent"].items()]
    for link, by_program in results["reasons"].items():
        for key, steps in by_program.items():
            lines += [f"  {programs.ALL[key].title}, {step}, {link} link: {why}" for step, why in steps.items()]
    return "why —:\n" + "\n".join(lines) if lines else ""


def busy(m):
    if m["foreign"] is None:
        return ""
    text = f"Other work took {m['foreign']:.0%} of the machine."
    return text if m["foreign"] < 0.1 else text + " THAT IS TOO MUCH: compare CPU times, and rates only roughly."


def about(results):
    m = results["machine"]
    versions = ", ".join(f"{programs.ALL[key].title}: {version}" for key, version in m["versions"].items() if version)
    return (f"{m['date']}, {m['cpu']}, {m['cores']} cores (both ends and the load share them), {m['memory_gb']} GB, "
            f"Linux {m['kernel']}, {m['system']}, TCP with {m['congestion']}\n{versions}\n"
            f"{m['rounds']} rounds of {m['seconds']:g} s, {m['minutes']:g} minutes. Median ± half the range of the rounds. {busy(m)}")


def notes():
    return "\n".join(f"  {row.title}: {row.note}" for row in ROWS if row.note)


def text(results):
    parts = [about(results)]
    for link in results["samples"]:
        parts.append(table(results, link))
        parts.append(ratios(results, link))
        parts.append(cost_model(results, link))
        parts.append(f"what ShadowMesh is to reach, {link} link:\n{goals(results, link)}" if goals(results, link) else "")
    parts += ["rows:\n" + notes(), reasons(results)]
    return "\n\n".join(filter(None, parts)) + "\n"


# ---- plot: one panel of bars per row, one bar per program and link ----

PANELS = ("tcp1", "tcp4", "loss", "udp64", "load99", "cpu")
COLOURS = {"default": "#2563eb", "wire": "#f59e0b"}
PANEL_W, BAR, LABELS, MARGIN = 430, 11, 110, 24


def bars(results, row, x, y):
    out = [f'<text x="{x}" y="{y}" class="t">{escape(row.title)}, {row.unit} '
           f'({"more" if row.better is max else "less"} is better)</text>']
    links = list(results["samples"])
    keys = list(results["samples"][links[0]])
    top = max((median(results, link, key, row.key) or 0) for link in links for key in keys) or 1
    y += 10
    for key in keys:
        out.append(f'<text x="{x + LABELS - 6}" y="{y + BAR}" class="l">{escape(programs.ALL[key].title)}</text>')
        for link in links:
            value = median(results, link, key, row.key)
            width = 0 if value is None else max(value / top * (PANEL_W - LABELS - 60), 1)
            figure = "—" if value is None else f"{value:.{row.digits}f}"
            out.append(f'<rect x="{x + LABELS}" y="{y + 1}" width="{width:.1f}" height="{BAR - 1}" fill="{COLOURS[link]}" '
                       f'opacity="{1 if key == OWN else 0.55}"/>'
                       f'<text x="{x + LABELS + width + 4:.1f}" y="{y + BAR - 1}" class="v">{figure}</text>')
            y += BAR
        y += 4
    return out


def svg(results):
    links = list(results["samples"])
    panels = [row for row in shown(results, links[0]) if row.key in PANELS]
    panel_h = 40 + len(results["samples"][links[0]]) * (BAR * len(links) + 4)
    height = MARGIN * 3 + (len(panels) + 1) // 2 * panel_h
    m = results["machine"]
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{2 * PANEL_W + 3 * MARGIN}" height="{height}" '
           'font-family="sans-serif"><style>.t{font-size:13px;font-weight:bold}.l{font-size:11px;text-anchor:end}'
           '.v{font-size:9px;fill:#444}.m{font-size:11px;fill:#444}</style>',
           '<rect width="100%" height="100%" fill="white"/>',
           f'<text x="{MARGIN}" y="{MARGIN}" class="m">{escape(m["date"])} · {escape(m["cpu"])}, {m["cores"]} cores · '
           f'Linux {escape(m["kernel"])} · medians of {m["rounds"]} rounds</text>']
    for number, link in enumerate(links):
        out.append(f'<rect x="{MARGIN + number * 220}" y="{MARGIN + 10}" width="10" height="10" fill="{COLOURS[link]}"/>'
                   f'<text x="{MARGIN + 15 + number * 220}" y="{MARGIN + 19}" class="m">{link} link</text>')
    for number, row in enumerate(panels):
        out += bars(results, row, MARGIN + number % 2 * (PANEL_W + MARGIN), MARGIN * 3 + number // 2 * panel_h)
    return "\n".join(out) + "\n</svg>\n"
