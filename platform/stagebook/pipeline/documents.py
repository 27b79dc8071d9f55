"""Executed notebooks as outputs: what they can be."""

from __future__ import annotations

NOTEBOOK, PAGE, MARKDOWN = ".ipynb", ".html", ".md"


def document_mistake(path: str, *, code: bool) -> tuple[str, str] | None:
    """Why the executed notebook cannot be published at a path, and what to do; `None` if it can be. `code`: whether the
    code of its cells is to be in it."""
    if not path.endswith((NOTEBOOK, PAGE, MARKDOWN)):
        what = f"'{path}' is no place for an executed notebook: its ending says how it is written"
        return what, f"let it end in {NOTEBOOK}, {PAGE} or {MARKDOWN}"
    if path.endswith(NOTEBOOK) and not code:
        return f"'{path}' is a notebook, which has its code", f"choose {PAGE} or {MARKDOWN}, or remove 'code'"
    return None
