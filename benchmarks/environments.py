"""Environments of the peers: each has its own, so that no dependency of one slows or breaks another."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ENVS = HERE / ".envs"

# Removed from what peers and Stagebook see: settings of this shell that could favour one of them.
_PRIVATE = (
    *("JUPYTER", "IPYTHON", "MLFLOW_", "PLOOMBER", "STAGEBOOK", "DVC_", "SNAKEMAKE"),
    *("VIRTUAL_ENV", "PYTHON", "COLUMNS"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An interpreter with the packages of one contender."""

    name: str
    python: Path

    def variables(self, home: Path) -> dict[str, str]:
        """The environment variables of its processes: a home of their own, and no calls home."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE)}
        return kept | {
            "HOME": str(home),
            "PATH": os.pathsep.join([str(self.python.parent), os.environ.get("PATH", os.defpath)]),
            "PLOOMBER_STATS_ENABLED": "false",
            "PLOOMBER_VERSION_CHECK_DISABLED": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }

    def versions(self, packages: Iterable[str]) -> Mapping[str, str]:
        """The installed versions of those of the packages that are there."""
        code = (
            "import importlib.metadata as m, json, sys\n"
            "have = {d.metadata['Name'].lower().replace('_', '-'): d.version for d in m.distributions()}\n"
            "print(json.dumps({n: have[n] for n in sys.argv[1:] if n in have}))"
        )
        command = [str(self.python), "-c", code, *packages]
        found: dict[str, str] = json.loads(subprocess.check_output(command, cwd=ENVS.parent, text=True))
        return found


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProjectEnvironment(Environment):
    """The interpreter that runs this: the project's own. Its PYTHONPATH counts, so that another
    checkout of the platform can be measured."""

    def variables(self, home: Path) -> dict[str, str]:
        """As of the peers, with PYTHONPATH."""
        found = Environment.variables(self, home)
        if "PYTHONPATH" in os.environ:
            found["PYTHONPATH"] = os.environ["PYTHONPATH"]
        return found


def project_environment() -> ProjectEnvironment:
    """The environment of Stagebook."""
    return ProjectEnvironment(name="stagebook", python=Path(sys.executable))


def peer_environment(name: str) -> Environment:
    """The environment of `requirements-NAME.txt`; made if it is not there or of other requirements.

    Raises `subprocess.CalledProcessError` where the packages cannot be installed.
    """
    requirements = HERE / f"requirements-{name}.txt"
    folder = ENVS / name
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    digest = hashlib.sha256(sys.version.encode() + requirements.read_bytes()).hexdigest()
    if not (stamp.is_file() and stamp.read_text() == digest and python.exists()):
        print(f"Installing {name} into an environment of its own …", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        _install(folder, python, requirements)
        stamp.write_text(digest)
    return Environment(name=name, python=python)


def _install(folder: Path, python: Path, requirements: Path) -> None:
    """With uv where the project has it. Bytecode is compiled ahead: importing is what is measured."""
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        commands = [
            [str(uv), "venv", "--quiet", "--python", sys.executable, str(folder)],
            [str(uv), "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python)],
        ]
    else:
        commands = [
            [sys.executable, "-m", "venv", str(folder)],
            [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"],
        ]
    commands[-1] += ["--requirement", str(requirements)]
    for command in commands:
        subprocess.run(command, check=True)


def stagebook_version() -> str:
    """Stagebook's version and, in a git checkout, its commit."""
    version = subprocess.check_output([sys.executable, "-m", "stagebook", "--version"], text=True).split()[-1]
    spec = importlib.util.find_spec("stagebook")
    assert spec is not None
    assert spec.origin is not None
    git = ["git", "-C", str(Path(spec.origin).parent)]
    try:
        commit = subprocess.check_output([*git, "rev-parse", "--short", "HEAD"], text=True).strip()
        dirty = subprocess.check_output([*git, "status", "--porcelain", "--", "."], text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return version
    return f"{version} (commit {commit}{', with changes' if dirty else ''})"
