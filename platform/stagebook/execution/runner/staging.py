"""Outputs of attempts: written below the attempt's folder, published together.

A stage writes each output below its attempt's folder. Once the stage completed, all outputs are moved to
their places by rename, or none: what was there before is kept aside until the last one is in place, and
put back if one cannot be moved. New versions of Delta tables are published last, each by one link.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from stagebook.errors import StageFailure
from stagebook.events import Cause
from stagebook.execution.attempt import OutputSlot
from stagebook.execution.runner import commits
from stagebook.tables.lake import READY
from stagebook.workspace.paths import PathRefused, inside_for_output

After = Callable[[str, Path], Path]
"""Puts the commit of an output, by name, after those of other writers; raises `Overtaken`."""


def bring_near(root: Path, slots: Mapping[str, OutputSlot], after: After | None = None) -> dict[str, Path]:
    """The staged outputs by name, each on the disk of its place: a rename does not cross file systems,
    and a copy takes time, during which the pipeline must not be held. `after`: puts the commit of an output after those of
    other writers.

    Raises:
        StageFailure: one could not be copied.
    """
    near: dict[str, Path] = {}
    for name, slot in slots.items():
        if slot.kind == "external" or slot.is_in_place:
            continue
        final = root / slot.path
        try:
            _check_place(root, slot)
            final.parent.mkdir(parents=True, exist_ok=True)
            if slot.table is None:
                near[name] = _beside(root / slot.staged, final)
            elif (commit := commits.place_files(root / slot.table.ready / READY, final)) is not None:
                near[name] = commit
                if after is not None and commits.is_overtaken(commit, final):
                    near[name] = after(name, commit)
        except (OSError, PathRefused, commits.Overtaken) as error:
            for path in near.values():
                remove(path)
            raise _unmovable(slot, error) from error
    return near


def _check_place(root: Path, slot: OutputSlot) -> None:
    """The place of an output is still where it was planned: a folder may have become a symlink since. Raises
    `PathRefused`."""
    if (place := inside_for_output(root, slot.path)) != slot.path:
        raise PathRefused(f"it leads to {place} now")


def publish(
    root: Path,
    slots: Mapping[str, OutputSlot],
    near: Mapping[str, Path] | None = None,
    after: After | None = None,
) -> None:
    """Move all outputs to their places, all or nothing. `near`: what `bring_near` returned; `after` as there.

    Raises:
        StageFailure: one could not be moved; what was there before is there again.
    """
    near = bring_near(root, slots) if near is None else near
    moved: list[tuple[Path, Path | None]] = []  # the place, and what was there before
    made: list[Path] = []  # versions of Delta tables: last, since others see them at once
    slot = None
    try:
        for name, incoming in sorted(near.items(), key=lambda item: slots[item[0]].table is not None):
            slot = slots[name]
            final = root / slot.path
            if slot.table is not None:
                made.append(commits.publish(incoming, final, after and functools.partial(after, name)))
                continue
            before = _set_aside(final, incoming)
            moved.append((final, before))
            incoming.rename(final)
    except (OSError, commits.Overtaken) as error:
        commits.take_back(made)
        _put_back(moved)
        assert slot is not None
        raise _unmovable(slot, error) from error
    for _, before in moved:
        if before is not None:
            remove(before)


def _unmovable(slot: OutputSlot, error: OSError | PathRefused | commits.Overtaken) -> StageFailure:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else error
    msg = f"the output '{slot.path}' could not be moved to its place: {reason}"
    return StageFailure(msg, cause=Cause.PUBLICATION)


def _beside(staged: Path, final: Path) -> Path:
    """The staged output on the disk of its place, since a rename does not cross file systems."""
    if staged.stat().st_dev == final.parent.stat().st_dev:
        return staged
    near = final.with_name(f".{final.name}.{os.getpid()}.incoming")
    remove(near)
    try:
        if staged.is_dir():
            shutil.copytree(staged, near)
        else:
            shutil.copy(staged, near)
    except OSError:
        remove(near)
        raise
    return near


def _set_aside(final: Path, incoming: Path) -> Path | None:
    if not os.path.lexists(final):
        return None
    before = final.with_name(f".{final.name}.{os.getpid()}.before")
    remove(before)
    if incoming.is_dir() or (final.is_dir() and not final.is_symlink()):
        final.rename(before)  # a folder and a file cannot replace each other
    else:
        # The old file stays in its place until the new one replaces it: no moment without a file.
        try:
            os.link(final, before, follow_symlinks=False)
        except OSError:
            shutil.copy2(final, before, follow_symlinks=False)
    return before


def _put_back(moved: list[tuple[Path, Path | None]]) -> None:
    for final, before in reversed(moved):
        with contextlib.suppress(OSError):
            if before is None:
                remove(final)
            elif before.is_dir() or final.is_dir():
                remove(final)
                before.rename(final)
            else:
                before.replace(final)
                remove(before)  # a rename between two links of one file leaves both


def remove(path: Path) -> None:
    """Remove a file or folder, if it is there."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
