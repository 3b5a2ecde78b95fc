#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draws a recorded session as an animated SVG: hack/demo-picture.py docs/pictures/demo.txt >docs/pictures/demo.svg

The session is text: a line that begins with "$ " is typed, what follows is what it prints. A command behind an empty
line begins a new screen. The same text gives the same bytes, so that a test sees a picture that is out of date.
"""
import html
import re
import sys

COLUMN, ROW, LEFT, TOP = 7.83, 19, 18, 52
# Seconds: for a command to be typed, for a line to appear, and to read a screen, each line of it.
TYPED, LINE, READ, READ_LINE = 1.2, 0.08, 2.0, 0.35
WORDS = [
    (re.compile(r"^\$ .*"), "c"),
    (re.compile(r"\b(True|Succeeded|Ready|copied|is mirrored)\b"), "g"),
    (re.compile(r"\b(False|Failing|Missing|DependencyNotReady|NotFound|is not mirrored)\b"), "r"),
    (re.compile(r"^  (source|because|do|state|tags|last sync) "), "b"),
    (re.compile(r"^[A-Z]+(?: [A-Z]+)*(?:   +[A-Z]+(?: [A-Z]+)*)+$"), "b"),
]


def screens(text):
    """Lists of lines: a command behind an empty line begins a new one."""
    found, before = [], ""
    for line in text.rstrip("\n").split("\n"):
        if not found or (line.startswith("$ ") and before == ""):
            found.append([])
        found[-1].append(line)
        before = line
    for screen in found:
        while screen[-1] == "":
            screen.pop()
    return found


def spans(line):
    """The line with its words in colours."""
    marks = sorted((m.start(), m.end(), kind) for pattern, kind in WORDS for m in pattern.finditer(line))
    out, end = [], 0
    for start, stop, kind in marks:
        if start < end:
            continue
        out.append(html.escape(line[end:start], quote=False))
        out.append(f'<tspan class="{kind}">{html.escape(line[start:stop], quote=False)}</tspan>')
        end = stop
    out.append(html.escape(line[end:], quote=False))
    return "".join(out)


def draw(text):
    shown = screens(text)
    columns = max(len(line) for screen in shown for line in screen)
    rows = max(len(screen) for screen in shown)
    width, height = round(columns * COLUMN + 2 * LEFT), TOP + rows * ROW
    # Each line with the times at which it comes and goes.
    lines, now = [], 0.0
    for screen in shown:
        came = []
        for line in screen:
            came.append(now)
            now += TYPED if line.startswith("$ ") else LINE
        now += READ + READ_LINE * len(screen)
        lines.append([(line, start, now) for line, start in zip(screen, came)])
    total = now
    rules, body, number = [], [], 0
    for place, screen in enumerate(lines):
        # Without motion the first screen stays, which says what it is about.
        body.append(f'<g class="s{0 if place == 0 else 1}">')
        for row, (line, start, end) in enumerate(screen):
            if not line:
                continue
            number += 1
            come, go = 100 * start / total, 100 * end / total
            before = f"0%,{come:.2f}%{{opacity:0}}" if start else "0%{opacity:1}"
            after = f"{go:.2f}%,100%{{opacity:0}}" if end < total else "100%{opacity:1}"
            visible = f"{come + 0.01:.2f}%,{go - 0.01:.2f}%{{opacity:1}}"
            rules.append(f"@keyframes k{number}{{{before}{visible}{after}}}")
            y = TOP + row * ROW
            body.append(f'<text x="{LEFT}" y="{y}" style="animation-name:k{number}">{spans(line)}</text>')
        body.append("</g>")
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-labelledby="t">
<title id="t">make demo: a mirror gets in sync, says why a tag is missing, takes a new tag, and says what is wrong with a mistake</title>
<style>
text{{font:13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#d5dbe3;white-space:pre;animation:{total:.2f}s step-end infinite}}
.c{{fill:#ffffff;font-weight:bold}}.g{{fill:#7ee08a}}.r{{fill:#ff9489}}.b{{fill:#8fb8ff}}
@media (prefers-reduced-motion:reduce){{text{{animation:none}}.s1{{display:none}}}}
{chr(10).join(rules)}
</style>
<rect width="{width}" height="{height}" rx="8" fill="#161b22"/>
<circle cx="20" cy="18" r="6" fill="#ff5f57"/><circle cx="40" cy="18" r="6" fill="#febc2e"/><circle cx="60" cy="18" r="6" fill="#28c840"/>
{chr(10).join(body)}
</svg>
"""


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        sys.stdout.write(draw(file.read()))
