"""What the results of stages depend on, as it is on disk and on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import platform
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from stagebook.definition.closure import Closure, Code, sources
from stagebook.definition.paths import STATE_FOLDER, PathRefused
from stagebook.definition.workspace import Workspace
from stagebook.system.blobs import Blobs
from stagebook.system.distributions import versions
from stagebook.system.files import write_whole
from stagebook.system.memo import Memo

_MAX_TEXT = 200_000  # bytes of a module whose text is kept


class Facts:
    """Files are hashed once, and remembered; what was looked at is looked at again after `forget`."""

    def __init__(
        self,
        workspace: Workspace,
        memo: Memo,
        blobs: Blobs,
        env: Mapping[str, str],
        *,
        restores: bool = True,
    ) -> None:
        """`restores`: whether outputs are taken out of the store; else it counts as empty."""
        self.workspace = workspace
        self.memo = memo
        self.blobs = blobs
        self._restores = restores
        self._root = workspace.root
        self._cache = self._root / STATE_FOLDER / "cache"
        self._env = env
        self._key: bytes | None = None
        extra = [Path(item) for item in env.get("PYTHONPATH", "").split(os.pathsep) if item]
        self._closure = Closure(self._root, memo, extra=extra)
        self._digests: dict[str, str | None] = {}
        self._versions: dict[frozenset[str], Mapping[str, str]] = {}
        self._kernels: dict[tuple[str, str | None], Mapping[str, str]] = {}

    def forget(self) -> None:
        """Look at the files of the project anew."""
        self._closure.forget()
        self._digests.clear()
        self.workspace.forget()

    def code(self, notebook: str) -> Code:
        """What a notebook's code consists of. Raises `NotebookUnreadable`."""
        return self._closure.code(notebook, self.workspace.executable(notebook))

    def code_paths(self, notebook: str) -> list[str]:
        """The local modules and files that a notebook's code consists of. Raises `NotebookUnreadable`."""
        code = self.code(notebook)
        return [item.path for item in (*code.modules, *code.files)]

    def sources(self, notebook: str) -> dict[str, Any]:
        """The cells of a notebook, and the texts of the local modules and files that it uses by path, to
        compare them later. Raises `NotebookUnreadable`."""
        code = self.code(notebook)
        modules = {}
        for item in (*code.modules, *code.files):
            with contextlib.suppress(OSError, UnicodeDecodeError):
                path = self._root / item.path
                if path.stat().st_size <= _MAX_TEXT:
                    modules[item.path] = path.read_text(encoding="utf-8")
        return {"cells": list(sources(self.workspace.executable(notebook))), "modules": modules}

    def digest(self, path: str) -> str | None:
        """The SHA-256 of a file or folder of the project; None if it is not there."""
        if path not in self._digests:
            try:
                self._digests[path] = str(self.memo.describe(self._root / path, path)["sha256"])
            except OSError:
                self._digests[path] = None
        return self._digests[path]

    def is_file(self, path: str) -> bool:
        """Whether a path names a file of the project."""
        try:
            return self.workspace.is_file(self.workspace.inside(path))
        except PathRefused:
            return False

    def note(self, path: str, digest: str) -> None:
        """What is known of a file that was just written."""
        self.memo.note(self._root / path, "sha256", digest)
        self._digests.pop(path, None)

    def holds(self, output: Mapping[str, Any]) -> bool:
        """Whether an output can be had from the store."""
        return self._restores and self.blobs.holds(output)

    def versions(self, packages: Iterable[str]) -> Mapping[str, str]:
        """The distributions that import names belong to, with their versions."""
        wanted = frozenset(packages)
        if wanted not in self._versions:
            self._versions[wanted] = versions(wanted, cache=self._cache / "distributions.json")
        return self._versions[wanted]

    def kernel(self, notebook: str, name: str | None) -> Mapping[str, str]:
        """The kernel that a notebook runs in, and what tells its version."""
        key = (notebook, name)
        if key not in self._kernels:
            kernel = name or self.workspace.facts(notebook).kernel
            found = {"kernel": kernel}
            if kernel == "python3":
                found["python"] = f"{platform.python_implementation()} {platform.python_version()}"
            else:
                found["spec"] = _spec(kernel)
            self._kernels[key] = found
        return self._kernels[key]

    def env_mark(self, name: str) -> str | None:
        """A keyed hash of an environment variable: its value may be a secret, and a plain hash of a
        short one could be found by trying."""
        value = self._env.get(name)
        if value is None:
            return None
        if self._key is None:
            self._key = _key(self._root / STATE_FOLDER / "key")
        return hmac.new(self._key, f"{name}={value}".encode("utf-8", "surrogateescape"), "sha256").hexdigest()


def _key(path: Path) -> bytes:
    """The project's own key, made when it is first asked for."""
    with contextlib.suppress(OSError, ValueError):
        key = bytes.fromhex(path.read_text().strip())
        if len(key) == 32:
            return key
    key = secrets.token_bytes(32)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        old = os.umask(0o077)
        try:
            write_whole(path, key.hex().encode())
        finally:
            os.umask(old)
    return key


def _spec(kernel: str) -> str:
    """What stands for a kernel other than this Python: its specification, and the program in it."""
    from jupyter_core.paths import jupyter_path  # noqa: PLC0415 - only such a kernel asks for it

    for folder in jupyter_path("kernels"):
        path = Path(folder) / kernel / "kernel.json"
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError, TypeError):
            text = path.read_bytes()
            program = Path(os.path.realpath(json.loads(text)["argv"][0]))
            about = (
                f"{program} {program.stat().st_size} {program.stat().st_mtime_ns}" if program.exists() else ""
            )
            return hashlib.sha256(text + about.encode()).hexdigest()
    return "unknown"
