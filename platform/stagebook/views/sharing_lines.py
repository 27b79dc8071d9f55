"""What passed between a project and the store that it shares, for a person."""

from __future__ import annotations

from collections.abc import Sequence

from stagebook.runs.push import Shared
from stagebook.sharing.access import Caution
from stagebook.views.formatting import plural


def caution_lines(cautions: Sequence[Caution]) -> list[str]:
    """What a person should know of a shared store, a line each."""
    return [f"! {one.message}{f': {one.hint}' if one.hint else ''}" for one in cautions]


def sharing_lines(shared: Shared) -> list[str]:
    """What a run took and gave, and what went wrong, a line each; nothing where nothing happened."""
    lines = caution_lines(shared.cautions)
    if shared.left:
        lines.append(
            f"! {plural(shared.left, 'result')} not put into the shared store yet: stagebook store push"
        )
    told = [
        f"{plural(count, 'result')} {what} the shared store"
        for count, what in ((shared.taken, "taken from"), (shared.pushed, "put into"))
        if count
    ]
    return [*lines, "; ".join(told)] if told else lines
