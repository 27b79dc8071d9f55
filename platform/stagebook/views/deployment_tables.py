"""What a deployment would do, as text."""

from __future__ import annotations

from collections import Counter

from rich.text import Text

from stagebook.deploying import Deployment
from stagebook.planning.plan import Decision
from stagebook.views.environment_tables import code
from stagebook.views.formatting import plain, plural, written
from stagebook.views.release_tables import in_short

_MOST = 8  # names in one list


def deployment(found: Deployment) -> Text:
    """What a deployment would do: its stages, datasets, parameters, and what to look at."""
    before, release = found.before, found.release
    shown = Text.assemble((f"{release.short} → {found.environment.name}", "bold"))
    shown.append(f"  now: version {before.version}, {code(before)}" if before else "  now: nothing")
    if found.changes is not None:
        shown.append(f"\ncode      {in_short(found.changes)}")
    if release.changed:
        shown.append(f"\n          {_list(release.changed)} not as committed", style="yellow")
    _stages(shown, found)
    _data(shown, found)
    for doubt in found.doubts:
        shown.append(f"\n!         {plain(doubt)}", style="yellow")
    return shown


def _stages(shown: Text, found: Deployment) -> None:
    labels = (("runs", Decision.RUN), ("may run", Decision.WAIT), ("audits", Decision.AUDIT))
    for label, decision in labels:
        if names := found.stages(decision):
            shown.append(f"\n{label:10}{_list(names)}")
    for one in found.prepared:
        for stage in one.plan.stages:
            if stage.decision is Decision.RUN and stage.reasons:
                shown.append(f"\n          {plain(stage.id)}: {plain(stage.reasons[0])}", style="dim")
    if taken := found.stages(Decision.REUSE):
        shown.append(f"\ntakes     {plural(len(taken), 'result')}: {_list(taken)}")


def _data(shown: Text, found: Deployment) -> None:
    words = Counter(found.changed_datasets.values())
    for word in ("new", "changed", "may change", "gone"):
        if words[word]:
            names = [name for name, what in found.changed_datasets.items() if what == word]
            shown.append(f"\ndata      {word}: {_list(names)}")
    for name, (old, new) in found.changed_params.items():
        shown.append(f"\nparameter {plain(name)}: {plain(written(old))} → {plain(written(new))}")


def _list(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return plain(", ".join(names[:_MOST])) + more
