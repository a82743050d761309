"""Small pieces of HTML: escaped text, tables, figures, sections.

Plain values enter; strings of HTML leave. Everything that comes from data goes through
:func:`text`, so a category called ``<script>`` is shown and not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

__all__ = ["Column", "figure", "note", "paragraph", "section", "table", "text"]

Row = Mapping[str, Any]
Column = tuple[str, str, str]
"""Key of the row, heading, and format: ``s`` for a word, ``words`` for text that may break over
lines, a format spec for a number, a format spec in brackets for the interval between two keys:
``("lower upper", "95 %", "[+.2f]")``."""

_TEXTS = ("s", "words")
_NONE = "\N{EN DASH}"


def text(value: object) -> str:
    """Escape a value for HTML."""
    return escape(str(value), quote=True)


def paragraph(words: str) -> str:
    """One paragraph of escaped text."""
    return f"<p>{text(words)}</p>"


def note(words: str) -> str:
    """A small remark below a table or figure."""
    return f'<p class="note">{text(words)}</p>'


def section(name: str, title: str, parts: Iterable[str]) -> str:
    """A headed section that the table of contents can point to."""
    body = "\n".join(parts)
    return f'<section id="{text(name)}">\n<h2>{text(title)}</h2>\n{body}\n</section>'


def figure(svg: str, caption: str) -> str:
    """An inline drawing with the sentence that says what it shows."""
    return f"<figure>{svg}<figcaption>{text(caption)}</figcaption></figure>"


def table(rows: Sequence[Row], columns: Sequence[Column], *, strong: Iterable[object] = ()) -> str:
    """A table in a box of its own that scrolls where the page is narrow.

    Parameters
    ----------
    rows : sequence of mappings
        What to show, in order.
    columns : sequence of Column
        Which keys, under which headings, in which format.
    strong : iterable
        Values of the first column whose rows are set in bold.
    """
    marked = set(strong)
    heads = "".join(_head(heading, form) for _, heading, form in columns)
    lines = []
    for row in rows:
        cells = "".join(_cell(row, key, form) for key, _, form in columns)
        emphasis = ' class="strong"' if row.get(columns[0][0]) in marked else ""
        lines.append(f"<tr{emphasis}>{cells}</tr>")
    body = "\n".join(lines)
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def _head(heading: str, form: str) -> str:
    return f'<th scope="col"{_kind(form)}>{text(heading)}</th>'


def _cell(row: Row, key: str, form: str) -> str:
    if form in _TEXTS:
        value = row.get(key)
        return f"<td{_kind(form)}>{text('' if value is None else value)}</td>"
    numbers = [_number(row.get(part), form.strip("[]")) for part in key.split()]
    is_interval = form.startswith("[") and set(numbers) != {_NONE}
    shown = f"[{', '.join(numbers)}]" if is_interval else numbers[0]
    return f"<td{_kind(form)}>{text(shown)}</td>"


def _kind(form: str) -> str:
    """The class of a column's cells."""
    return {"s": "", "words": ' class="words"'}.get(form, ' class="number"')


def _number(value: object, form: str) -> str:
    return _NONE if value is None else format(value, form).replace("-", "−")  # noqa: RUF001
