"""Tests of notebooks: a plugin of pytest, and what it does by itself."""

from __future__ import annotations

import importlib
from typing import Any

# Imported on first use: pytest loads the plugin in every run, also where no test is about a notebook.
_HOMES = {
    "RunStage": "stagebook.testing.stages",
    "StageFailed": "stagebook.testing.outcome",
    "StageResult": "stagebook.testing.outcome",
    "StageTests": "stagebook.testing.stages",
    "replays": "stagebook.testing.replay_items",
    "untested": "stagebook.testing.stages",
}

__all__ = ["RunStage", "StageFailed", "StageResult", "StageTests", "replays", "untested"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    msg = f"module 'stagebook.testing' has no attribute '{name}'"
    raise AttributeError(msg)
