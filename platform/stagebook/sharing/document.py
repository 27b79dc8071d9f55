"""A result as a shared store keeps it, and which results may be kept there.

results/ab/FINGERPRINT/DIGEST.json    a result: its own text has the SHA-256 `DIGEST`
blobs/ab/SHA256                       a file; a folder is the list of its files, and each of these
shown/PROJECT/ENVIRONMENT.json        what an environment shows (`shown`)
heads/ab/HEAD                         that there is a result with this head (`Fingerprint.head`)
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from stagebook.planning.fingerprint import Fingerprint
from stagebook.planning.result import Result, result_from_json, result_to_json
from stagebook.system.blobs import is_digest
from stagebook.system.logins import holds_login, is_secret

VERSION = 1
SHARED = "the shared store"  # the source of a result that comes from there, as `Result.source`
_FOLDER = re.compile(r"(\.stagebook/runs/[^/.][^/]*/[^/.][^/]*/\d+)?")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A result with the blobs that it needs, digest → size in bytes. `notebook` is the digest of the executed notebook,
    empty where that is not there."""

    result: Result
    blobs: Mapping[str, int]
    notebook: str = ""

    @property
    def text(self) -> bytes:
        """It as a file. The same attempt has the same text, whichever journal it comes from."""
        own = dataclasses.replace(self.result, number=0, source="")
        data = {"version": VERSION, "result": result_to_json(own), "blobs": dict(sorted(self.blobs.items()))}
        return json.dumps({**data, "notebook": self.notebook}).encode()

    @property
    def path(self) -> str:
        """Where it is in a shared store."""
        folder = result_folder(self.result.fingerprint)
        return f"{folder}/{hashlib.sha256(self.text).hexdigest()}.json"


def result_folder(fingerprint: str) -> str:
    """The folder of the results with a fingerprint."""
    return f"results/{fingerprint[:2]}/{fingerprint}"


def blob_path(digest: str) -> str:
    """Where a blob is."""
    return f"blobs/{digest[:2]}/{digest}"


def head_path(head: str) -> str:
    """Where it is noted that there is a result with this head."""
    return f"heads/{head[:2]}/{head}"


def document_of(text: bytes, path: str) -> Document:
    """The document that a file of a shared store holds. Raises `ValueError` where it is not what its path says."""
    folder, _, name = path.rpartition("/")
    if hashlib.sha256(text).hexdigest() != name.removesuffix(".json"):
        raise ValueError("its text is not the one that it was written with")
    try:
        data = json.loads(text)
        if data["version"] != VERSION:
            raise ValueError("another version of Stagebook wrote it")
        result = result_from_json(data["result"])
        blobs = {str(digest): int(size) for digest, size in data["blobs"].items()}
        notebook, why = str(data["notebook"]), why_private(result)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it is no result") from error
    if result_folder(result.fingerprint) != folder:
        raise ValueError("it is the result of another fingerprint")
    if why:
        raise ValueError(why)
    needed = {item.sha256 for item in result.outputs.values()} | ({notebook} if notebook else set())
    if not needed <= blobs.keys() or not all(map(is_digest, blobs)):
        raise ValueError("its blobs are not those of its outputs")
    return Document(
        result=dataclasses.replace(result, number=0, source=SHARED), blobs=blobs, notebook=notebook
    )


def why_private(result: Result) -> str:
    """Why a result is of use in its own project alone, or not safe to be given away; empty if it may be shared. That its
    stage has a bookmark the result does not say: its event does."""
    if not is_digest(result.fingerprint) or Fingerprint(parts=result.parts).digest != result.fingerprint:
        return "its fingerprint is not that of its parts"
    if not (result.outputs or result.scraps):
        return "it has an effect alone, which nobody can restore"
    if any(item.external for item in result.outputs.values()):
        return "it wrote outside of its project"
    if not all(item.kept and is_digest(item.sha256) for item in result.outputs.values()):
        return "its outputs are not in the store"
    if any(_accumulates(part) for part in _values(result.parts, "outputs")):
        return "rows of earlier runs stay in its table"
    # Keyed hashes of one project say nothing in another one.
    marks = [*_values(result.parts, "env"), *dict(result.undeclared.get("env", {})).values()]
    if any(isinstance(mark, str) and is_digest(mark) for mark in marks):
        return "it depends on the value of an environment variable"
    if any(holds_secret(name, value) for name, value in result.parts.get("params", {}).items()):
        return "a parameter of it looks like a secret"
    if not _FOLDER.fullmatch(result.folder):
        return "its folder is none of a run"
    return ""


def _values(parts: Mapping[str, Any], name: str) -> Iterator[Any]:
    yield from dict(parts.get(name) or {}).values()


def _accumulates(part: Sequence[str]) -> bool:
    """Whether a table keeps rows of earlier runs, by its part of a fingerprint: kind, name, mode, partitions, key."""
    return len(part) > 2 and (part[2] != "overwrite" or bool(part[3:4] and part[3]))


def holds_secret(name: str, value: Any) -> bool:
    """Whether a parameter looks like a secret."""
    return isinstance(value, str) and (is_secret(name, value) or holds_login(value))
