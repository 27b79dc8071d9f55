"""The store: outputs of stages, kept by their content, so that they can come back.

A file is a blob. A folder is the list that its hash is made of (`files.list_folder`), a blob of lines
`sha256  relative/path`, and a blob for each of its files.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from stagebook.artifact import Artifact
from stagebook.system import delta_log
from stagebook.system.blobs import BlobDamaged, Blobs, is_digest, touch
from stagebook.system.files import EMPTY, describe_path, list_folder, make_private, sha256_of, walk

_SPARE = 1 << 28  # bytes that stay free on the disk


class Behind(Protocol):
    """Where blobs may come from that a store does not have."""

    def offers(self, digest: str) -> bool:
        """Whether a blob is there."""

    def bring(self, digest: str, blobs: Blobs) -> bool:
        """Bring a blob to others; whether that was possible. If not, it is not offered any more."""


class Store:
    """The store in one folder. Several processes may use it at once. `behind`: where blobs come from that it does not have."""

    def __init__(self, folder: Path, behind: Callable[[], Behind | None] = lambda: None) -> None:
        self.folder = folder
        self.blobs = Blobs(folder)
        self._behind = behind

    def holds(self, output: Artifact) -> bool:
        """Whether all of an output is there, as `keep` returned it, or offered by what is behind. Of a folder that is offered
        only its list is looked for."""
        if not output.kept:
            return False
        if not self.blobs.has(output.sha256):
            return self._offers(output.sha256)
        if not output.folder:
            return True
        try:
            listed = self._listed(output.sha256)
        except BlobDamaged:
            return self._offers(output.sha256)
        return all(self.blobs.has(digest) or self._offers(digest) for digest, _ in listed if digest != EMPTY)

    def _offers(self, digest: str) -> bool:
        behind = self._behind()
        return behind is not None and behind.offers(digest)

    def _bring(self, digest: str) -> bool:
        """Have a blob here, wherever it comes from; whether it is."""
        if self.blobs.has(digest):
            return True
        behind = self._behind()
        return behind is not None and behind.bring(digest, self.blobs)

    def bring(self, output: Artifact) -> bool:
        """Have all of a kept output here, so that other processes find it in the folder; whether it is."""
        if not self._bring(output.sha256):
            return False
        try:
            listed = self._listed(output.sha256) if output.folder else []
        except BlobDamaged:
            return False
        return all(self._bring(digest) for digest, _ in listed if digest != EMPTY)

    def members(self, digest: str) -> list[str]:
        """The blobs of the files of a folder; none where its list is damaged."""
        with contextlib.suppress(BlobDamaged):
            return [item for item, _ in self._listed(digest) if item != EMPTY]
        return []

    def listed(self, digest: str) -> dict[str, str] | None:
        """The files of a folder, relative path → SHA-256; `None` where its list is not there, or damaged."""
        with contextlib.suppress(BlobDamaged):
            if self.blobs.has(digest):
                return {name: item for item, name in self._listed(digest) if item != EMPTY}
        return None

    # -- in -------------------------------------------------------------------------------------

    def keep(
        self, path: Path, shown: str, *, most: int | None = None, known: Mapping[str, str] | None = None
    ) -> Artifact:
        """Keep a file or folder; the artifact, with the path `shown`. More than `most` bytes, or than the
        disk has room for, are described and not kept. A version of a Delta table was kept before it was published. Of
        the files of a folder whose SHA-256 is `known` and that are there already, none is read. Raises `OSError` where
        the file cannot be read."""
        if path.is_dir():
            if delta_log.published(path) is not None:
                table = dataclasses.replace(describe_path(path, shown), kept=True)
                return table if self.holds(table) else dataclasses.replace(table, kept=False)
            return self._keep_folder(path, shown, most, known or {})
        found = path.stat()
        digest, kept = self._keep_file(path, wanted=self._has_room(found.st_size, most))
        executable = bool(found.st_mode & 0o111)
        return Artifact(path=shown, size=found.st_size, sha256=digest, kept=kept, executable=executable)

    def _keep_folder(self, path: Path, shown: str, most: int | None, known: Mapping[str, str]) -> Artifact:
        found = list(walk(path))
        # A name with the end of a line in it could not be read out of the list again.
        readable = not any("\n" in name for name, _, _ in found)
        kept = readable and self._has_room(sum(size for _, _, size in found), most)

        digests = {file: known[name] for name, file, _ in found if name in known}

        def keep(file: str) -> str:
            nonlocal kept
            if file in digests and touch(self.blobs, digests[file]):
                return digests[file]
            digest, kept = self._keep_file(Path(file), wanted=kept)
            return digest

        size, text = list_folder(path, keep)
        kept = kept and self.blobs.keep_bytes(text) is not None
        digest = hashlib.sha256(text).hexdigest()
        executable = tuple(name for name, file, _ in found if name[-1] != "/" and os.access(file, os.X_OK))
        return Artifact(
            path=shown, size=size, sha256=digest, kept=kept, folder=True, executable=executable or False
        )

    def _keep_file(self, path: Path, *, wanted: bool) -> tuple[str, bool]:
        if wanted:
            with contextlib.suppress(OSError):  # the store's trouble is not the stage's
                return self.blobs.keep_file(path), True
        return sha256_of(path), False

    def _has_room(self, size: int, most: int | None) -> bool:
        if most is not None and size > most:
            return False
        with contextlib.suppress(OSError):
            make_private(self.folder)
            return shutil.disk_usage(self.folder).free > size + min(_SPARE, 4 * size + (1 << 20))
        return False

    # -- out ------------------------------------------------------------------------------------

    def fetch(self, output: Artifact, target: Path) -> None:
        """Write a kept output to `target`, which does not exist yet.

        Raises:
            BlobDamaged: a blob is missing or damaged; nothing is left at `target`.
            OSError: `target` cannot be written.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        self._bring(output.sha256)
        executable = output.executable
        try:
            if output.folder:
                names = executable if isinstance(executable, tuple) else ()
                self._fetch_folder(output.sha256, target, frozenset(names))
            else:
                self.blobs.fetch(output.sha256, target, executable=bool(executable))
        except BaseException:
            shutil.rmtree(target, ignore_errors=True) if target.is_dir() else target.unlink(missing_ok=True)
            raise

    def _fetch_folder(self, digest: str, target: Path, executable: frozenset[str]) -> None:
        target.mkdir()
        for item, name in self._listed(digest):
            file = target / name
            if item == EMPTY:
                file.mkdir(parents=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                self._bring(item)
                self.blobs.fetch(item, file, executable=name in executable)

    def _listed(self, digest: str) -> list[tuple[str, str]]:
        """The list of a folder: digests and relative paths. Raises `BlobDamaged`."""
        found = []
        text = self.blobs.read(digest)
        if text is None:
            raise self.blobs.damaged(digest, "in the store is missing or damaged")
        for line in text.split("\n")[:-1]:
            item, _, name = line.partition("  ")
            parts = name.removesuffix("/").split("/") if item == EMPTY else name.split("/")
            if not (item == EMPTY or is_digest(item)) or not {"", ".", ".."}.isdisjoint(parts):
                raise self.blobs.damaged(digest, "in the store is not the list of a folder")
            found.append((item, name))
        return found
