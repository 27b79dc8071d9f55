"""Addresses of MLflow's pages, below the address of its server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

# MLflow opens with its pages for language models, where there is nothing of ours; this asks for those of classic runs.
_CLASSIC = "workflowType=machine_learning"


def experiments_page(url: str, experiment: str | None = None) -> str:
    """The runs of an experiment, by its id; else the list of all experiments."""
    return _page(url, f"/experiments{f'/{experiment}' if experiment else ''}")


def run_page(url: str, experiment: str, run: str) -> str:
    """One run, by the ids of its experiment and its own."""
    return _page(url, f"/experiments/{experiment}/runs/{run}")


def comparison_page(url: str, experiments: Iterable[str], runs: Sequence[str]) -> str:
    """Runs side by side."""
    names = json.dumps(list(runs), separators=(",", ":"))
    of = json.dumps(sorted(set(experiments)), separators=(",", ":"))
    return _page(url, f"/compare-runs?runs={names}&experiments={of}")


def _page(url: str, where: str) -> str:
    return f"{url.rstrip('/')}/#{where}{'&' if '?' in where else '?'}{_CLASSIC}"
