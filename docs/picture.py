#!/usr/bin/env python3
"""Draws some steps of what `machins demo` prints as docs/demo.svg, for the README.

    python3 docs/picture.py

The demo's mock server is seeded, so the picture changes only when the demo does.
"""

import html
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The steps that are drawn; all 28 would be too tall to read.
STEPS = {2, 3, 4, 5, 15, 18, 20, 21, 22}
COLUMNS, LINE, CHARACTER, MARGIN = 80, 18, 8.4, 16
COLOURS = {"31": "#f47067", "32": "#57ab5a", "33": "#c69026", "36": "#39c5cf"}


def spans(line, style):
    """The line's text in pieces, each with its SVG style; the style goes on into the next line."""
    for piece in re.split(r"(\x1b\[[0-9;]*m)", line):
        codes = re.fullmatch(r"\x1b\[([0-9;]*)m", piece)
        if not codes:
            if piece:
                yield piece, " ".join(f'{name}="{value}"' for name, value in style.items())
            continue
        for code in codes[1].split(";"):
            if code in ("", "0"):
                style.clear()
            elif code == "1":
                style["font-weight"] = "bold"
            elif code == "2":
                style["fill-opacity"] = "0.6"
            elif code in COLOURS:
                style["fill"] = COLOURS[code]


def chosen(lines):
    """The headings of both halves, the chosen steps, and the last lines."""
    kept, keep, skipped = [], True, ""
    for line in lines:
        codes = re.findall(r"\x1b\[[0-9;]*m", line)
        text = re.sub(r"\x1b\[[0-9;]*m", "", line)
        step = re.match(r" ?(\d+)  ", text)
        if step:
            keep = int(step[1]) in STEPS
        elif text and not text.startswith(" "):
            keep = True
        if keep:
            kept.append(skipped + line)
            skipped = ""
        else:
            # The style of a line may have been set in one before it.
            skipped += "".join(codes)
    return kept


def main():
    command = ["cargo", "run", "--quiet", "--", "--color", "always", "demo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = ["$ machins demo", *chosen(done.stdout.splitlines())]
    width = round(COLUMNS * CHARACTER + 2 * MARGIN)
    height = len(lines) * LINE + 2 * MARGIN
    rows, style = [], {}
    for number, line in enumerate(lines):
        text = "".join(
            f"<tspan {shown}>{html.escape(piece)}</tspan>" for piece, shown in spans(line, style)
        )
        y = MARGIN + (number + 0.8) * LINE
        rows.append(f'<text x="{MARGIN}" y="{y:g}" xml:space="preserve">{text}</text>')
    svg = "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
            "<title>What machins demo prints</title>",
            f'<rect width="{width}" height="{height}" rx="8" fill="#1c2128"/>',
            '<g font-family="monospace" font-size="14" fill="#cdd9e5">',
            *rows,
            "</g>",
            "</svg>",
            "",
        ]
    )
    (ROOT / "docs" / "demo.svg").write_text(svg)


main()
