"""Executed notebooks as outputs: what they can be."""

from __future__ import annotations

from stagebook.pipeline.model import Output, Program

NOTEBOOK, PAGE, MARKDOWN = ".ipynb", ".html", ".md"


def document_mistake(output: Output, path: str, program: Program | None) -> tuple[str, str] | None:
    """Why the executed notebook cannot be published at a path, and what to do; `None` if it can be. `program`: what the stage
    runs instead of a notebook."""
    if program is not None:
        what = f"'{output.name}' is the executed notebook, and the stage runs the {program.kind} {program}"
        return what, "remove 'kind', and let the program write the output"
    if not path.endswith((NOTEBOOK, PAGE, MARKDOWN)):
        what = f"'{path}' is no place for an executed notebook: its ending says how it is written"
        return what, f"let it end in {NOTEBOOK}, {PAGE} or {MARKDOWN}"
    if path.endswith(NOTEBOOK) and not output.code:
        return f"'{path}' is a notebook, which has its code", f"choose {PAGE} or {MARKDOWN}, or remove 'code'"
    return None
