"""What the results of stages depend on, as it is on disk and on this machine."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from stagebook.artifact import Artifact
from stagebook.code.closure import Closure, Code, sources
from stagebook.pipeline.workdir import ROOT
from stagebook.system.delta_log import LOG
from stagebook.system.file_cache import FileCache, stat_of, tick
from stagebook.system.files import describe_path, make_private, walk, write_whole
from stagebook.system.installed import source_folders, versions
from stagebook.system.secret_sources import PREFIX
from stagebook.system.store import Store
from stagebook.workspace.kernels import Kernel, find_kernel, this_python
from stagebook.workspace.marks import Marks
from stagebook.workspace.paths import STATE_FOLDER, folders_around, home_of
from stagebook.workspace.programs import is_made
from stagebook.workspace.workspace import Workspace

_MAX_TEXT = 200_000  # bytes of a module whose text is kept


class ProjectDependencies:
    """The dependencies of one project's results. Everything is read once, and again after `forget`.

    A `kernel` is that of a stage (`PlannedStage.runs_in`). `None`: the notebook's own kernel. `""`: this
    interpreter, no kernel.
    """

    def __init__(
        self,
        workspace: Workspace,
        file_cache: FileCache,
        store: Store,
        env: Mapping[str, str],
        *,
        restores: bool = True,
        secret: Collection[str] = (),
    ) -> None:
        """`restores`: whether outputs may come from the store; without it the store counts as empty. `secret`: the
        variables of the environment that hold secrets."""
        self.workspace = workspace
        self.file_cache = file_cache
        self.store = store
        self.marks = Marks(workspace.root, file_cache)
        self._restores = restores
        self._secret = secret
        self._root = workspace.root
        self._cache = self._root / STATE_FOLDER / "cache"
        self._env = env
        self._key: bytes | None = None
        self._extra = [Path(item) for item in env.get("PYTHONPATH", "").split(os.pathsep) if item]
        self._closures: dict[
            tuple[Path | None, str], Closure
        ] = {}  # by the environment of the kernel, and folder
        self._digests: dict[str, str | None] = {}
        self._versions: dict[tuple[frozenset[str], str], Mapping[str, str]] = {}
        self._kernels: dict[str, Kernel] = {}

    def forget(self, doubtful: Iterable[str] = ()) -> None:
        """Read the project and the machine anew when they are asked for next. Of the `doubtful` paths not even the
        hashes are trusted that were remembered with their stats, as `FileCache.reread`."""
        self.file_cache.reread(self._root / path for path in doubtful)
        self._closures.clear()
        self._digests.clear()
        self._versions.clear()
        self._kernels.clear()
        self.workspace.forget()

    def code(self, notebook: str, kernel: str | None, folder: str = ROOT) -> Code:
        """The code of a notebook whose cells run in a `folder` of the project, as that kernel imports it. Raises
        `NotebookUnreadable`."""
        prefix = self._kernel(kernel, notebook).prefix
        if (prefix, folder) not in self._closures:
            behind = [Path(one) for one in source_folders(prefix)]
            self._closures[prefix, folder] = Closure(
                self._root, self.file_cache, extra=self._extra, behind=behind, workdir=folder
            )
        code = self._closures[prefix, folder].code(notebook, self.workspace.executable(notebook))
        return code.of_program() if is_made(notebook) else code

    def code_paths(self, notebook: str, kernel: str | None, folder: str = ROOT) -> list[str]:
        """The local modules and files that a notebook uses. Raises `NotebookUnreadable`."""
        code = self.code(notebook, kernel, folder)
        return [item.path for item in (*code.modules, *code.files)]

    def sources(self, notebook: str, kernel: str | None, folder: str = ROOT) -> dict[str, Any]:
        """The texts of a notebook's cells (`cells`) and, by path, of the local modules and files that it uses
        (`modules`), to compare them later. Raises `NotebookUnreadable`."""
        code = self.code(notebook, kernel, folder)
        modules = {}
        for item in (*code.modules, *code.files):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                path = self._root / item.path
                if path.stat().st_size <= _MAX_TEXT:
                    modules[item.path] = path.read_text(encoding="utf-8")
        cells = () if is_made(notebook) else sources(self.workspace.executable(notebook))
        return {"cells": list(cells), "modules": modules}

    def now(self, path: str) -> str | None:
        """As `digest`, looked at anew."""
        self._digests.pop(path, None)
        return self.digest(path)

    def digest(self, path: str) -> str | None:
        """The SHA-256 of a file of the project, or of a folder with a slash at the end, since a file could hold
        the list of a folder; the mark of what is behind a connection; `None` where there is none."""
        if path not in self._digests:
            try:
                found = describe_path(self._root / path, path, self.file_cache.digest)
                listed = self.store.listed(found.sha256) if found.version is not None else None
                is_whole = listed is None or _is_whole(self._root / path, listed, self.file_cache)
                self._digests[path] = found.content if is_whole else None
            except OSError:
                self._digests[path] = self.workspace.remotes.mark(path)
        return self._digests[path]

    def stamp(self, path: str) -> object:
        """A value that changes with every write to a file or folder of the project, whatever is written."""
        full = os.path.join(self._root, path)
        with contextlib.suppress(OSError):
            if os.path.isdir(full):
                return [(name, stat_of(file)) for name, file, _ in walk(full)]
            return stat_of(full)
        return None

    def freshen(self, notebook: str, kernel: str | None, folder: str = ROOT) -> None:
        """Remove compiled modules that are older than the last change of their source.

        Python compares size and mtime in seconds, and would import the old code of a module that changed twice
        within a second, or whose mtime was set back. Raises `NotebookUnreadable`.
        """
        for path in self.code_paths(notebook, kernel, folder):
            if path.endswith(".py"):
                folder, name = os.path.split(os.path.join(self._root, path))
                _remove_older(os.path.join(folder, "__pycache__"), name, os.path.join(folder, name))

    def note(self, path: str, digest: str) -> None:
        """Keep the SHA-256 of a file that was just written."""
        self.file_cache.note(self._root / path, "sha256", digest)
        for known in (path, *folders_around(path)):
            self._digests.pop(known, None)

    def holds(self, output: Artifact) -> bool:
        """Whether an output can come from the store."""
        return self._restores and self.store.holds(output)

    def versions(self, imports: Iterable[str], kernel: str) -> Mapping[str, str]:
        """The versions of the distributions that provide these modules to a kernel, by the distribution's name."""
        key = (frozenset(imports), kernel)
        if key not in self._versions:
            prefix = self._kernel(kernel).prefix
            found = versions(key[0], prefix=prefix, cache=self._cache / "distributions.json")
            self._versions[key] = dict(sorted(found.items()))
        return self._versions[key]

    def kernel(self, notebook: str, name: str | None) -> Mapping[str, str]:
        """The name of the kernel that a notebook runs in, and values that tell its version. Raises
        `NotebookUnreadable`."""
        return self._kernel(name, notebook).facts

    def _kernel(self, name: str | None, notebook: str = "") -> Kernel:
        name = self.workspace.facts(notebook).kernel if name is None else name
        if name not in self._kernels:
            self._kernels[name] = find_kernel(name, self._env) if name else this_python()
        return self._kernels[name]

    def env_mark(self, name: str) -> str | None:
        """A keyed hash of an environment variable; `None` where it is not set. Its value may be a secret, and a
        plain hash of a short one could be reversed by trying values. One that is declared as a secret has none."""
        value = self._env.get(name)
        if value is None:
            return None
        if name in self._secret or name.startswith(PREFIX):
            return "secret"
        if self._key is None:
            self._key = _key(home_of(self._root) / STATE_FOLDER / "key")
        return hmac.new(self._key, f"{name}={value}".encode("utf-8", "surrogateescape"), "sha256").hexdigest()


def _is_whole(table: Path, listed: Mapping[str, str], file_cache: FileCache) -> bool:
    """Whether the data files of a version of a Delta table are as they were published. Raises `OSError`."""
    return all(
        file_cache.digest(str(table / name)) == digest
        for name, digest in listed.items()
        if not name.startswith(f"{LOG}/")
    )


def _key(path: Path) -> bytes:
    """The project's own key for hashes, made at first use."""
    with contextlib.suppress(OSError, ValueError):
        key = bytes.fromhex(path.read_text().strip())
        if len(key) == 32:
            return key
    key = secrets.token_bytes(32)
    with contextlib.suppress(OSError):
        make_private(path.parent)
        write_whole(path, key.hex().encode(), mode=0o600)
    return key


def _remove_older(cache: str, name: str, source: str) -> None:
    with contextlib.suppress(OSError):
        found = os.stat(source)
        changed = found.st_ctime_ns + tick(found.st_mtime_ns, found.st_ctime_ns)
        with os.scandir(cache) as entries:
            compiled = [it for it in entries if it.name.startswith(name[:-2]) and it.name.endswith(".pyc")]
        for entry in compiled:
            if entry.stat().st_mtime_ns <= changed:
                os.unlink(entry.path)
