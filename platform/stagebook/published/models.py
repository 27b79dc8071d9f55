"""The models of a version, in a file beside its manifest: MLflow alone knows them, and is told of a version after readers
see it.

    models.json     pipeline → model → its version in the registry of MLflow
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from stagebook.published.manifest import FILE as MANIFEST
from stagebook.system.files import write_whole

FILE = "models.json"


def models_of(folder: Path) -> dict[str, dict[str, int]]:
    """The models of the version in a folder, as far as MLflow has told of them: pipeline → model → version."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        data = json.loads((folder / FILE).read_bytes())
        return {
            str(pipeline): {str(name): int(version) for name, version in one.items()}
            for pipeline, one in data.items()
        }
    return {}


def note_models(folder: Path, pipeline: str, models: Mapping[str, int]) -> None:
    """Note the models of a pipeline in the version in a folder; those of other pipelines are as in the version before. One
    that was removed meanwhile is left alone. Raises `OSError`."""
    if not folder.is_dir():
        return
    known = models_of(folder) if (folder / FILE).is_file() else _earlier(folder)
    known[pipeline] = dict(models)
    found = {name: one for name, one in sorted(known.items()) if one}
    if found or (folder / FILE).is_file():
        write_whole(folder / FILE, (json.dumps(found, indent=1) + "\n").encode())


def _earlier(folder: Path) -> dict[str, dict[str, int]]:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        manifest = json.loads((folder / MANIFEST).read_bytes())
        before = models_of(folder.parent / f"{int(manifest['before']):06}")
        return {name: one for name, one in before.items() if name in manifest["pipelines"]}
    return {}
