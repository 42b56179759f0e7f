"""Building blocks of a self-contained page: elements that escape their content, tables, and the style."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_EMPTY = ("meta", "img", "br")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: object) -> Markup:
    """Return text as HTML; `Markup` stays unchanged, and characters that HTML does not allow are shown as �."""
    return text if isinstance(text, Markup) else Markup(html.escape(_UNPRINTABLE.sub("�", str(text))))


def joined(parts: Iterable[object]) -> Markup:
    """Concatenate the parts."""
    return Markup("".join(escaped(part) for part in parts))


def element(kind: str, *children: object, **attributes: object) -> Markup:
    """Return an element; ``class_`` stands for ``class``, ``stroke_width`` for ``stroke-width``, and None is omitted."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escaped(str(value))}"' for name, value in attributes.items() if value is not None
    )
    return Markup(f"<{kind}{written}>" if kind in _EMPTY else f"<{kind}{written}>{joined(children)}</{kind}>")


def section(title: str, *children: object) -> Markup:
    """Return a section, or nothing if it has no content."""
    inside = joined(children)
    return element("section", element("h2", title), inside) if inside else Markup()


def rows(lines: Iterable[tuple[object, object]]) -> Markup:
    """Return a table of labels and texts."""
    return element("table", joined(element("tr", element("th", a, scope="row"), element("td", b)) for a, b in lines), class_="rows")


def table(head: Sequence[object], body: Iterable[Sequence[object]], *, class_: str = "figures") -> Markup:
    """Return a table whose first column names its rows; a cell that is already a ``td`` stays unchanged."""
    top = element("tr", *(element("th", cell, scope="col") for cell in head))
    lines = [
        element(
            "tr", element("th", line[0], scope="row"), *(cell if str(cell).startswith("<td") else element("td", cell) for cell in line[1:])
        )
        for line in body
    ]
    return element("div", element("table", element("thead", top), element("tbody", *lines), class_=class_), class_="wide")


def _cell(content: object) -> Markup:
    return content if isinstance(content, Markup) and content.startswith("<td") else element("td", content)


def folded(summary: object, *inside: object) -> Markup:
    """Return a section that opens on a click."""
    return element("details", element("summary", summary), *inside)


def long_text(text: str, most: int = 240) -> Markup:
    """Return text; the rest of a very long text is folded."""
    if len(text) <= most:
        return escaped(text)
    return folded(text[: most // 2].rstrip() + " …", text)


def page(title: str, *body: object) -> str:
    """Return the complete document."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(STYLE)),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{head}{element("body", element("main", *body))}</html>\n'


STYLE = """
:root {
  color-scheme: light dark;
  --ground: #ffffff; --panel: #f4f5f7; --ink: #1c1f24; --soft: #5d646e; --line: #d3d7dd;
  --accent: #1f6fb0; --classical: #96580a; --truth: #1f7d45; --right: 31 111 176; --wrong: 206 84 22;
  --notice: #6a4500; --notice-ground: #fff3d6; --bad: #a02417; --bad-ground: #fde6e2;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --ground: #16181c; --panel: #21242a; --ink: #e7e9ec; --soft: #a3aab4; --line: #3b4048;
    --accent: #63b3ea; --classical: #e0a04a; --truth: #5cc480; --right: 74 140 200; --wrong: 205 92 40;
    --notice: #ffd98a; --notice-ground: #3a2e12; --bad: #ffab9f; --bad-ground: #45201b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
body { overflow-wrap: anywhere; }
main { max-width: 1000px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 34px 0 10px; border-bottom: 1px solid var(--line); padding-bottom: 4px; }
h3 { font-size: 15px; margin: 20px 0 6px; }
p { margin: 8px 0; }
.soft, figcaption { color: var(--soft); font-size: 13.5px; }
.state { display: inline-block; padding: 2px 10px; border-radius: 12px; background: var(--panel); border: 1px solid var(--line); }
.notice, .bad { border-left: 4px solid; border-radius: 4px; padding: 8px 14px; margin: 12px 0; }
.notice { color: var(--notice); background: var(--notice-ground); }
.bad { color: var(--bad); background: var(--bad-ground); }
.verdict { font-size: 16px; font-weight: 600; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
.rows th { white-space: nowrap; font-weight: 500; color: var(--soft); padding-left: 0; }
.figures td, .figures thead th { text-align: right; white-space: nowrap; }
.figures th[scope=row], .figures thead th:first-child { text-align: left; }
.figures th { overflow-wrap: break-word; }
.figures th[scope=row] { min-width: 110px; }
.figures th { font-weight: 500; }
.figures thead th { color: var(--soft); font-size: 13.5px; vertical-align: bottom; }
.figures td.best { font-weight: 700; }
.confusion td, .confusion thead th { text-align: center; padding: 4px 6px; min-width: 52px; }
.confusion th, .confusion td { vertical-align: middle; }
.confusion thead th { min-width: 52px; max-width: 110px; white-space: normal; }
.confusion td { border: 1px solid var(--ground); print-color-adjust: exact; -webkit-print-color-adjust: exact; line-height: 1.2; }
.confusion td small { display: block; font-size: 11px; }
.confusion td.right { background: rgb(var(--right) / var(--share)); }
.confusion td.wrong { background: rgb(var(--wrong) / var(--share)); }
.confusion td.none { color: var(--soft); }
.many td, .many th { font-size: 12px; padding: 3px 4px; }
.many td, .many thead th { min-width: 42px; }
.many td small { font-size: 10px; }
.many th[scope=row] { white-space: nowrap; overflow-wrap: normal; }
.swatch {
  display: inline-block; width: 12px; height: 12px; border-radius: 3px; border: 1px solid var(--line); margin-right: 6px;
  vertical-align: -1px; print-color-adjust: exact; -webkit-print-color-adjust: exact;
}
figure { margin: 12px 0; overflow-x: auto; }
svg { width: 100%; min-width: 600px; height: auto; display: block; }
svg text { fill: var(--ink); font: 12.5px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
@media screen and (max-width: 640px) { svg { min-width: 0; } svg text { font-size: 14px; } }
svg .faint { fill: var(--soft); }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .frame { stroke: var(--soft); stroke-width: 1; fill: none; }
svg path, svg .sample { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg .accent { stroke: var(--accent); }
svg .source { stroke: var(--soft); stroke-width: 1.2; }
svg .truth { stroke: var(--truth); }
svg .classical { stroke: var(--classical); stroke-width: 1.2; stroke-dasharray: 6 4; }
svg .lead { stroke: var(--classical); stroke-width: 1; stroke-dasharray: none; }
svg .mark { fill: var(--ground); stroke: var(--accent); stroke-width: 2; }
svg .dot { stroke-width: 3; fill: none; }
.maps { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
.maps figure { margin: 0; max-width: 100%; }
.maps img { image-rendering: pixelated; display: block; border: 1px solid var(--line); max-width: 100%; }
.legend > span { display: inline-block; margin-right: 18px; }
details { margin: 8px 0; }
summary { cursor: pointer; color: var(--accent); }
td details, li details { margin: 0; }
pre { white-space: pre-wrap; }
pre { background: var(--panel); padding: 12px 14px; border-radius: 4px; overflow-x: auto; font-size: 13px; line-height: 1.4; }
ul { margin: 6px 0; padding-left: 22px; }
@media (max-width: 640px) {
  main { padding: 14px 12px 32px; }
  h1 { font-size: 21px; }
  .rows, .rows tbody, .rows tr, .rows th, .rows td { display: block; }
  .rows th { white-space: normal; border-bottom: 0; padding: 8px 0 0; }
  .rows td { padding: 0 0 6px; }
  .figures th[scope=row] { position: sticky; left: 0; background: var(--ground); min-width: 84px; max-width: 40vw; }
  .many th[scope=row] { white-space: normal; overflow-wrap: anywhere; }
  .legend > span { margin-right: 10px; }
}
@media print {
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  figure, tr, .notice, .bad { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .figures td, .figures th, .figures thead th { font-size: 7.5pt; padding: 2px 4px; min-width: 0; }
  .figures td { overflow-wrap: normal; }
  .figures td small { display: block; white-space: normal; }
  .figures th, .figures thead th { white-space: normal; overflow-wrap: anywhere; }
  .many td, .many th, .many thead th { font-size: 6.5pt; padding: 2px 1px; }
  .wide, figure { overflow-x: visible; }
  svg { min-width: 0; }
}
"""
