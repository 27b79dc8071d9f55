"""The versions of an environment: a folder each, and one pointer.

    environments/prod/
    ├── current → versions/000008        what readers look at; it moves by one rename
    └── versions/
        ├── 000007/                      read-only, and never changed again
        └── 000008/
            ├── manifest.json
            ├── executed/flights/clean.ipynb
            └── data/…                   the outputs at their paths

A version is put together in a folder beside it, which is renamed when it is whole. Files that did not change are hard links to
those of the version before; the others are copies out of the store, by reflink where the file system can. So a reader sees
the old version or the new one, whole, whatever is killed when.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from stagebook.artifact import Artifact
from stagebook.errors import UsageError
from stagebook.published.manifest import FILE, Manifest
from stagebook.system.blobs import BlobDamaged
from stagebook.system.files import describe_path, walk, write_whole
from stagebook.system.store import Store

with contextlib.suppress(ImportError):  # Windows has none
    import fcntl

CURRENT = "current"
VERSIONS = "versions"
EXECUTED = "executed"  # the folder of the executed notebooks in a version
_SEALS = ".files.json"  # path → [size, mtime in nanoseconds], as the version was made
_NUMBER = re.compile(r"\d{6,}")
_GONE = ".gone"  # the end of the name of a version that is being removed
_WAIT = 120.0  # seconds that one publication waits for another


def path_of(version: int) -> str:
    """Where a version is in the folder of its environment."""
    return f"{VERSIONS}/{version:06}"


class Versions:
    """The versions in the folder of one environment. `lock` is a file that holds others off while one is published."""

    def __init__(self, folder: Path, lock: Path) -> None:
        self.folder = folder
        self._lock = lock

    def place(self, version: int) -> Path:
        """The folder of a version."""
        return self.folder / path_of(version)

    # -- reading --------------------------------------------------------------------------------

    def current(self) -> Manifest | None:
        """The manifest of the version that readers see; `None` where nothing was published yet. Raises `UsageError`."""
        try:
            text = (self.folder / CURRENT / FILE).read_bytes()
        except FileNotFoundError:
            if not (self.folder / CURRENT).is_symlink():
                return None
            raise UsageError(
                f"'{self.folder / CURRENT}' leads nowhere: its version was removed",
                hint="choose another one: stagebook rollback --env NAME --to VERSION",
            ) from None
        except OSError as error:
            raise UsageError(
                f"'{self.folder / CURRENT}' cannot be read: {error.strerror or error}"
            ) from error
        return _manifest(text, self.folder / CURRENT / FILE)

    def find(self, version: int) -> Manifest:
        """The manifest of a version. Raises `UsageError` where it is gone."""
        path = self.place(version) / FILE
        try:
            return _manifest(path.read_bytes(), path)
        except OSError as error:
            known = ", ".join(str(number) for number in self.numbers()[-8:]) or "none"
            raise UsageError(f"there is no version {version}", hint=f"there are: {known}") from error

    def numbers(self) -> list[int]:
        """The numbers of the versions that are there, sorted."""
        folder = self.folder / VERSIONS
        names = os.listdir(folder) if folder.is_dir() else []
        return sorted(int(name) for name in names if _NUMBER.fullmatch(name))

    def all(self) -> Iterator[Manifest]:
        """The manifests of all versions that can be read, the latest first."""
        for number in reversed(self.numbers()):
            with contextlib.suppress(UsageError):
                yield self.find(number)

    # -- writing --------------------------------------------------------------------------------

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold off other publications. Raises `UsageError` where another one takes too long."""
        import filelock  # noqa: PLC0415 - start-up cost, of all commands that publish nothing

        try:
            with filelock.FileLock(self._lock, timeout=_WAIT):
                yield
        except filelock.Timeout as error:
            msg = "another run has been publishing to this environment for two minutes"
            raise UsageError(msg, hint="try again once it has ended") from error

    def add(
        self,
        manifest: Manifest,
        fill: Callable[[Artifact, Path], None],
        executed: Mapping[str, Path],
        *,
        like: int = 0,
    ) -> Manifest:
        """Make the folder of a new version, while `held`; the manifest with its number. Readers do not see it yet.

        Args:
            manifest: what is in it; its number is chosen here.
            fill: writes an output to a path that does not exist yet; raises `OSError`.
            executed: the notebooks to keep in it, by their paths in the version.
            like: a version that has the same files, besides the one before.

        Raises:
            UsageError: it cannot be written; nothing changed.
        """
        numbers = self.numbers()
        before = self._current_number()
        number = max([*numbers, before, 0]) + 1
        made = dataclasses.replace(manifest, version=number, before=before)
        folder = self.folder / VERSIONS
        near = folder / f".{number:06}.incoming"
        try:
            self._make_folder()
            folder.mkdir(exist_ok=True)
            _remove(near)
            near.mkdir()
            earlier = [self._earlier(version) for version in {before, like}]
            for artifact in _files(made):
                target = near / artifact.path
                if not target.exists() and not any(one.link(artifact, target) for one in earlier):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    fill(artifact, target)
            for path, source in executed.items():
                (near / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, near / path)
            write_whole(near / FILE, made.to_text().encode(), durable=True)
            _seal(near)
            near.rename(self.place(number))
        except OSError as error:
            _remove(near)
            where = f" ({error.filename})" if error.filename else ""
            msg = f"the version {number} could not be made: {error.strerror or error}{where}"
            raise UsageError(msg, hint="readers see the version before, which is unchanged") from error
        return made

    def point_to(self, version: int) -> None:
        """Show a version to readers, from one moment to the next. Raises `UsageError`."""
        self.find(version)
        self._point(path_of(version))

    def _point(self, to: str) -> None:
        near = self.folder / f".{CURRENT}.{os.getpid()}"
        try:
            near.unlink(missing_ok=True)
            near.symlink_to(to)
            if (self.folder / CURRENT).exists() and not (self.folder / CURRENT).is_symlink():
                raise FileExistsError(errno.EEXIST, "something else is there")
            near.rename(self.folder / CURRENT)
        except OSError as error:
            near.unlink(missing_ok=True)
            msg = f"'{self.folder / CURRENT}' cannot be moved: {error.strerror or error}"
            hint = "it has to be a symbolic link that Stagebook made, on a file system that has them"
            raise UsageError(msg, hint=hint) from error

    def show_in_place(self, manifest: Manifest, tree: Path) -> Manifest:
        """Have readers look at the folder that stages publish into, each by itself, while `held`; the manifest with its
        number. Raises `UsageError`."""
        before = self.current()
        number = before.version if before is not None else 0
        made = dataclasses.replace(manifest, version=number + 1, before=number)
        try:
            self._make_folder()
            write_whole(tree / FILE, made.to_text().encode(), durable=True)
        except OSError as error:
            raise UsageError(f"the manifest could not be written: {error.strerror or error}") from error
        self._point(os.path.relpath(tree, self.folder))
        return made

    def prune(self, *, before: float, keep: int = 2) -> list[int]:
        """Remove versions that were published before a time (seconds since the epoch), but the current one, the latest
        `keep`, and those that a reader holds; their numbers."""
        gone = []
        current = self._current_number()
        for number in self.numbers()[:-keep]:
            with contextlib.suppress(UsageError):
                if number != current and self.find(number).at < before and _take_away(self.place(number)):
                    gone.append(number)
        for left in (self.folder / VERSIONS).glob(f".*{_GONE}"):
            shutil.rmtree(left, ignore_errors=True)
        return gone

    def _make_folder(self) -> None:
        if not self.folder.exists():
            self.folder.mkdir(parents=True)
            write_whole(self.folder / ".gitignore", b"*\n")  # what is published is nothing to commit

    def _current_number(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            return int(Path(os.readlink(self.folder / CURRENT)).name)
        return 0

    def _earlier(self, version: int) -> _Earlier:
        with contextlib.suppress(UsageError):
            return _Earlier(self.place(version), self.find(version))
        return _Earlier(self.place(version), None)


def _manifest(text: bytes, path: Path) -> Manifest:
    try:
        return Manifest.from_text(text)
    except ValueError as error:
        raise UsageError(f"'{path}' is not readable: {error}") from error


class _Earlier:
    """The files of an earlier version that are as they were made."""

    def __init__(self, folder: Path, manifest: Manifest | None) -> None:
        self._folder = folder
        self._known = {one.path: one.content for one in _files(manifest)} if manifest is not None else {}
        self._seals: dict[str, list[int]] = {}
        with contextlib.suppress(OSError, ValueError):
            self._seals = json.loads((folder / _SEALS).read_bytes())

    def link(self, artifact: Artifact, target: Path) -> bool:
        """Put hard links to an output in place, if it is the same there and untouched; whether it was."""
        if artifact.content is None or self._known.get(artifact.path) != artifact.content:
            return False
        source = self._folder / artifact.path
        if artifact.folder != source.is_dir():
            return False
        names = [name for name, _, _ in walk(source)] if artifact.folder else [""]
        if not all(self._is_untouched(f"{artifact.path}/{name}".rstrip("/")) for name in names):
            return False
        try:
            for name in names:
                place = target / name if name else target
                place.parent.mkdir(parents=True, exist_ok=True)
                os.link(source / name if name else source, place)
        except OSError:  # too many links, or a file system without them
            _remove(target)
            return False
        return True

    def _is_untouched(self, path: str) -> bool:
        with contextlib.suppress(OSError):
            found = (self._folder / path).stat()
            return self._seals.get(path) == [found.st_size, found.st_mtime_ns]
        return False


class Pin:
    """One version that a reader holds: it is not removed meanwhile."""

    def __init__(self, folder: Path) -> None:
        """`folder`: the pointer, or a version. Raises `OSError`."""
        while True:
            self.folder = folder.resolve(strict=True)
            self._file = os.open(self.folder / FILE, os.O_RDONLY)
            if "fcntl" in globals():
                fcntl.flock(self._file, fcntl.LOCK_SH)
            if (self.folder / FILE).exists():  # else it was removed between both
                break
            os.close(self._file)

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        with contextlib.suppress(OSError, AttributeError):
            self.close()


def _files(manifest: Manifest) -> Iterator[Artifact]:
    """The outputs in a version that are files of it."""
    yield from (one.artifact for one in manifest.datasets.values() if not one.artifact.external)


def _take_away(folder: Path) -> bool:
    """Put a version out of the way of readers, to be removed, unless one holds it; whether it could be. Who comes later
    finds it gone, and not half of it."""
    with contextlib.suppress(OSError):
        file = os.open(folder / FILE, os.O_RDONLY)
        try:
            if "fcntl" in globals():
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            folder.rename(folder.with_name(f".{folder.name}{_GONE}"))
        finally:
            os.close(file)
        return True
    return False


def _seal(folder: Path) -> None:
    """Make the files of a version read-only, and note what they are."""
    seals = {}
    for name, file, size in walk(folder):
        if not name.endswith("/"):
            found = os.stat(file)
            if found.st_nlink == 1:
                os.chmod(file, found.st_mode & ~0o222)
            seals[name] = [size, found.st_mtime_ns]
    write_whole(folder / _SEALS, json.dumps(seals).encode())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def filler(store: Store, trees: Callable[[Artifact], Path]) -> Callable[[Artifact, Path], None]:
    """What fills a version: outputs out of the store, and those that it does not have from where the run left them."""

    def fill(artifact: Artifact, target: Path) -> None:
        if store.holds(artifact):
            with contextlib.suppress(BlobDamaged):
                store.fetch(artifact, target)
                return
        source = trees(artifact)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copyfile(source, target)
        if describe_path(target, artifact.path).content != artifact.content:
            raise OSError(
                errno.ESTALE, "it is not what the run left, and the store does not have that", str(source)
            )

    return fill
