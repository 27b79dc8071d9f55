"""Releases as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table
from rich.text import Text

from stagebook.releases.release import Release, ReleaseChanges
from stagebook.views.formatting import plain, plural, size, when
from stagebook.views.tables import table_of


def releases(found: Iterable[Release], runs_in: Mapping[str, Sequence[str]], now: float) -> Table:
    """Releases, the latest first, and the environments that each runs in."""
    table = table_of("release", "when", "by", "commit", "runs in", "note")
    for one in found:
        commit = one.commit[:10] + (" (changed)" if one.changed else "")
        places = ", ".join(runs_in.get(one.id, ()))
        table.add_row(one.short, when(one.at, now), plain(one.by), commit, places, Text(plain(one.note)))
    return table


def facts(release: Release) -> Text:
    """What a release is."""
    shown = Text.assemble(
        (release.short, "bold"), f"  {', '.join(release.pipelines)}, released by {plain(release.by)}"
    )
    shown.append(f"\ncommit {release.commit}" if release.commit else "\nof no commit")
    if release.changed:
        shown.append(f"\nnot as committed: {', '.join(map(plain, release.changed))}", style="yellow")
    if release.note:
        shown.append(f"\n{plain(release.note)}")
    versions = ", ".join(f"{name} {version}" for name, version in release.versions.items())
    shown.append(f"\nwith {plain(versions)}")
    return shown


def files(release: Release) -> Table:
    """The files of a release."""
    table = table_of("file", "what", "size", "SHA-256")
    for path, file in release.files.items():
        table.add_row(Text(plain(path)), file.why, size(file.size), file.sha256[:12])
    return table


def changes(found: ReleaseChanges) -> Text:
    """What differs between two releases."""
    lines = [
        *(("+", path, "green") for path in found.added),
        *(("-", path, "red") for path in found.removed),
        *(("~", path, "yellow") for path in found.changed),
    ]
    shown = Text()
    for sign, path, style in lines:
        shown.append(f"{sign} {plain(path)}\n", style=style)
    for name, (before, after) in found.versions.items():
        shown.append(f"  {plain(name)}: {before or 'not there'} → {after or 'not there'}\n")
    shown.rstrip()
    return shown if shown.plain else Text("both are the same")


def in_short(found: ReleaseChanges) -> str:
    """What differs between two releases, in one line."""
    counts = [(found.added, "added"), (found.changed, "changed"), (found.removed, "removed")]
    parts = [f"{plural(len(paths), 'file')} {word}" for paths, word in counts if paths]
    if found.versions:
        parts.append(
            f"{plural(len(found.versions), 'library')} of another version".replace("librarys", "libraries")
        )
    return ", ".join(parts) or "the same code"
