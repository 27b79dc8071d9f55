"""A file or folder as a value: where it is, what it holds, and how it is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An input or output of an attempt.

    Args:
        path: relative to the project root; a URL or the like where `external`.
        size: in bytes, of all files together for a folder; `None` where nobody measured it.
        sha256: of the content, in hex; for a folder, of its list (`system.files.list_folder`). Empty for
            what is external.
        kept: whether the store holds the content.
        folder: whether it is a folder.
        executable: `True` for a file that may be executed; for a folder, the names of such files.
        external: it lies outside of the project, where nothing can be hashed, kept or restored.
        version: of a Delta table, that which has the content; `None` for anything else.
    """

    path: str
    size: int | None = None
    sha256: str = ""
    kept: bool = False
    folder: bool = False
    executable: bool | tuple[str, ...] = False
    external: bool = False
    version: int | None = None

    @property
    def content(self) -> str | None:
        """What stands for the content: the hash, with a slash at its end for a folder, since a file could
        hold a folder's list. `None` where there is no hash."""
        if not self.sha256:
            return None
        return f"{self.sha256}/" if self.folder else self.sha256

    def at(self, path: str) -> Artifact:
        """The same content at another path."""
        return dataclasses.replace(self, path=path)

    def to_json(self) -> dict[str, Any]:
        """The artifact as plain data; fields that say nothing are left out."""
        data: dict[str, Any] = {"path": self.path}
        if self.size is not None:
            data["size"] = self.size
        if self.sha256:
            data["sha256"] = self.sha256
        for name in ("kept", "folder", "executable", "external"):
            value = getattr(self, name)
            if value:
                data[name] = list(value) if isinstance(value, tuple) else value
        if self.version is not None:
            data["version"] = self.version
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Artifact:
        """The artifact that `to_json` made; fields that a newer version added are ignored.

        Raises:
            ValueError: a value is of the wrong type.
        """
        try:
            size, executable = data.get("size"), data.get("executable", False)
            version = data.get("version")
            return cls(
                path=str(data["path"]),
                size=None if size is None else int(size),
                sha256=str(data.get("sha256", "")),
                kept=bool(data.get("kept")),
                folder=bool(data.get("folder")),
                executable=tuple(map(str, executable)) if isinstance(executable, list) else bool(executable),
                external=bool(data.get("external")),
                version=None if version is None else int(version),
            )
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"not an artifact: {data!r:.80}"
            raise ValueError(msg) from error


Artifacts = Mapping[str, Artifact]
"""Outputs by name."""


def artifacts_to_json(artifacts: Artifacts) -> dict[str, dict[str, Any]]:
    """Outputs as plain data."""
    return {name: artifact.to_json() for name, artifact in artifacts.items()}


def artifacts_from_json(data: Mapping[str, Any]) -> dict[str, Artifact]:
    """Outputs from plain data. Raises `ValueError`."""
    return {name: Artifact.from_json(item) for name, item in data.items()}
