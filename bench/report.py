# SPDX-License-Identifier: Apache-2.0
"""What `make bench` shows: tables of medians and ratios for the terminal, and a plot."""

from html import escape

import cost
import goals
import programs
from rows import ROWS
from samples import OWN, half_range, median, of_rounds

WIDTH, FIRST = 15, 26
LINK_TITLES = {"default": "underlay: veth as it comes (passes whole trains of packets)",
               "wire": "underlay: every packet alone, as on a wire (segmentation and GRO off)"}


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
    return f"{text} ±{half_range(of_rounds(results, link, key, row.key)):.0f}%" if results["machine"]["rounds"] > 1 else text


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
        parts.append(cost.text(results, link))
        parts.append(goals.text(results, link))
    parts += ["rows:\n" + notes(), reasons(results)]
    return "\n\n".join(filter(None, parts)) + "\n"


def checked(results):
    """Of a run with --check."""
    return "\n\n".join(filter(None, [about(results), *(goals.text(results, link) for link in results["samples"]), reasons(results)])) + "\n"


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
