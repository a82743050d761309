"""The page's style sheet: system fonts, one measure, numbers that line up.

Nothing enters; a string of CSS leaves. No font, image or script is fetched from anywhere.
"""

from __future__ import annotations

__all__ = ["CSS"]

CSS = """
:root { --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --back: #ffffff; --tint: #f4f6f9; }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0; color: var(--ink); background: var(--back);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main, header, nav { max-width: 1200px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 22px; margin: 48px 0 8px; padding-top: 12px; border-top: 1px solid var(--line); }
h3 { font-size: 17px; margin: 28px 0 4px; }
p { margin: 8px 0; max-width: 72ch; }
.lead { font-size: 19px; line-height: 1.5; margin: 16px 0; }
.motto { color: var(--soft); font-style: italic; margin: 0; }
.note, figcaption, .provenance { color: var(--soft); font-size: 14px; }
.verdict { border-left: 4px solid #0072b2; background: var(--tint); padding: 10px 16px;
  margin: 16px 0; max-width: 80ch; }
nav { position: sticky; top: 0; background: var(--back); padding-top: 8px; padding-bottom: 8px;
  border-bottom: 1px solid var(--line); z-index: 1; overflow-x: auto; white-space: nowrap; }
nav a { color: var(--soft); text-decoration: none; margin-right: 20px; font-size: 15px; }
nav a:hover { color: var(--ink); text-decoration: underline; }
section { scroll-margin-top: 48px; }
figure { margin: 20px 0; }
figure svg { width: 100%; height: auto; max-width: 960px; display: block; }
.scroll { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 4px 12px 4px 0; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; white-space: normal; }
td.words { white-space: normal; min-width: 16em; max-width: 30em; }
td { vertical-align: top; }
.number { text-align: right; }
tr.strong td { font-weight: 650; }
footer { max-width: 1200px; margin: 48px auto; padding: 16px 24px; color: var(--soft);
  font-size: 14px; border-top: 1px solid var(--line); }
code { font: 0.92em ui-monospace, Consolas, monospace; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; font-size: 15px; }
dt { font-weight: 600; } dd { margin: 0; }
@media (max-width: 640px) { main, header, nav { padding: 0 14px; } h1 { font-size: 25px; }
  header { padding-top: 24px; } .scroll svg, .wide svg { min-width: 560px; }
  dl { grid-template-columns: 1fr; } }
@media print { nav { display: none; } section { break-inside: avoid-page; } }
"""
