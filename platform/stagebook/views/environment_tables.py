"""Environments, and what they show, as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from stagebook.published.manifest import Manifest
from stagebook.published.models import models_of
from stagebook.published.proposals import Proposal
from stagebook.published.versions import CURRENT, Versions
from stagebook.releases.release import SHORT
from stagebook.views.formatting import plain, size, when, written
from stagebook.views.tables import table_of
from stagebook.workspace.environments import Environment

_MOST = 12  # versions that are listed


def environments(found: Sequence[tuple[Environment, Manifest | None]], now: float) -> Table:
    """All environments, with the version that readers of each see."""
    table = table_of("environment", "from", "shows", "of the release", "since", "readers look at")
    for one, manifest in found:
        name = Text(one.name)
        if one.protected:
            name.append(" (protected)", style="dim")
        shown = (
            (f"version {manifest.version}", code(manifest), when(manifest.at, now))
            if manifest
            else ("nothing yet", "", "")
        )
        table.add_row(name, one.parent, *shown, f"{one.path}/current" if manifest else "")
    return table


def code(manifest: Manifest) -> str:
    """The release that runs in an environment, for people."""
    return manifest.release[:SHORT] if manifest.release else "the working tree"


def facts(environment: Environment, manifest: Manifest | None, versions: Versions | None) -> Text:
    """What an environment is, and what it shows. `versions`: `None` where its folder is on another machine, which told of it
    through the shared store."""
    shown = Text()
    shown.append(environment.name, style="bold")
    shown.append(f"  from {environment.parent}" + (", protected" if environment.protected else ""))
    for name, text in environment.params.items():
        shown.append(f"\n{plain(name)}={plain(written(text))}")
    if manifest is None:
        shown.append("\nnothing was published yet")
        return shown
    told = f"\nversion {manifest.version}, by {manifest.kind} of {plain(manifest.by) or 'nobody known'}"
    if manifest.shows:
        told += f": what version {manifest.shows} had"
    if manifest.approved_by:
        told += f", approved by {plain(manifest.approved_by)}"
    if manifest.because:
        told += f": {plain(manifest.because)}"
    shown.append(f"{told}\ncode: {code(manifest)}")
    if versions is None:
        shown.append("\nits folder is elsewhere: this is what the shared store tells of it")
        return shown
    shown.append(f"\nreaders look at {versions.folder / CURRENT}")
    models = models_of(versions.place(manifest.version))
    if models:
        alias = f", called {environment.alias}" if environment.alias else ""
        shown.append(f"\nmodels in MLflow{alias}: {plain(', '.join(_model_names(models)))}")
    return shown


def _model_names(models: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The models of a version, for people."""
    return sorted(f"{name} version {version}" for one in models.values() for name, version in one.items())


def datasets(manifest: Manifest, now: float) -> Table:
    """The datasets of a version."""
    table = table_of("dataset", "size", "contract", "run", "when", "path")
    for pipeline, one in manifest.pipelines.items():
        for name, dataset in one.datasets.items():
            table.add_row(
                Text(plain(f"{pipeline}.{name}")),
                size(dataset.artifact.size),
                dataset.contract,
                dataset.run,
                when(one.at, now),
                Text(plain(dataset.artifact.path)),
            )
    return table


def versions(found: Iterable[Manifest], current: int, now: float) -> Table:
    """The versions of an environment, the latest first."""
    table = table_of("version", "when", "what", "by", "code", "why")
    for number, one in enumerate(found):
        if number == _MOST:
            table.add_row(Text("…", style="dim"))
            break
        what = f"{one.kind} to {one.shows}" if one.shows else one.kind
        mark = f"{one.version} ◂" if one.version == current else str(one.version)
        table.add_row(mark, when(one.at, now), what, plain(one.by), code(one), Text(plain(one.because)))
    return table


def proposal(name: str, one: Proposal) -> Text:
    """A deployment that waits for somebody's word."""
    why = f": {plain(one.because)}" if one.because else ""
    text = f"! {plain(one.by)} proposes {one.release[:SHORT]}{why}; approve it: stagebook approve {name} {one.number}"
    return Text(text, style="yellow")
