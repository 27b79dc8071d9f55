"""The mistakes of a pipeline, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from stagebook.errors import Problem
from stagebook.views.formatting import plain


def problem_list(found: Sequence[Problem]) -> RenderableType:
    """Every mistake with its place, and what to do about it."""
    lines: list[Text] = []
    for problem in found:
        lines.append(Text.assemble((f"{problem.place}: ", "bold"), plain(problem.message)))
        if problem.hint:
            lines.append(Text(f"    {plain(problem.hint)}", style="dim"))
    return Group(*lines)
