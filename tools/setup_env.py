"""Make `.venv` from the lock, with nothing but Python: `python tools/setup_env.py run|test`.

`run` installs what running the reference pipelines needs, `test` everything. A stamp holds the
digest of what was installed, so that a second call does nothing. uv installs the packages, from
whatever index pip or uv are configured for here; where uv cannot be had, pip does.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
LOCK = ROOT / "requirements.lock"
EXTRAS = {"run": "examples", "test": "examples,lab,dev"}
FRONT_END = ROOT / "jupyter_extension" / "tools" / "front_end.py"


def main() -> int:
    """Set up what the one argument names; the exit code."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "run"
    if wanted not in EXTRAS:
        print(f"usage: {sys.argv[0]} {'|'.join(EXTRAS)}", file=sys.stderr)
        return 2
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is run by whatever Python there is
        print(f"Stagebook needs Python 3.11 or newer; this is {sys.version.split()[0]}.", file=sys.stderr)
        return 2
    digest = _digest()
    if any(_stamp(done).is_file() and _stamp(done).read_text() == digest for done in (wanted, "test")):
        _build_front_end(wanted)
        return 0
    started = time.monotonic()
    print(f"Setting up .venv ({wanted}) …", flush=True)
    if not _make_venv():
        return 2
    for name in EXTRAS:
        _stamp(name).unlink(missing_ok=True)
    code = _install_with_uv(EXTRAS[wanted]) if _have_uv() else _install_with_pip()
    if code == 0:
        _stamp(wanted).write_text(digest)
        _build_front_end(wanted)
        print(f"… done in {time.monotonic() - started:.0f} s", flush=True)
    return code


def _make_venv() -> bool:
    """Make `.venv`, and anew where it is of another Python or of another place."""
    home = _stamp("home")
    here = f"{sys.version}\n{VENV}\n"
    if (BIN / "python").exists() and home.is_file() and home.read_text() == here:
        return True
    try:
        venv.create(VENV, with_pip=True, clear=VENV.exists())
    except subprocess.CalledProcessError:
        print("This Python cannot make virtual environments.", file=sys.stderr)
        print("On Debian and Ubuntu: apt install python3-venv", file=sys.stderr)
        return False
    home.write_text(here)
    return True


def _digest() -> str:
    digest = hashlib.sha256(f"{sys.version}{VENV}".encode())
    for name in ("pyproject.toml", "requirements.lock", "tools/setup_env.py"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _stamp(name: str) -> Path:
    return VENV / f".stagebook-{name}"


def _have_uv() -> bool:
    uv = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv>=0.9"]
    return subprocess.run(uv, check=False).returncode == 0


def _install_with_uv(extras: str) -> int:
    command = [str(BIN / "uv"), "pip", "install", "--quiet", "--python", str(BIN / "python")]
    command += ["--constraint", str(LOCK), "--editable", f"{ROOT}[{extras}]"]
    # A half-second longer now, and no stage compiles the same modules again in its first run.
    command += ["--compile-bytecode"]
    environment = {**_environment(), "UV_HTTP_TIMEOUT": os.environ.get("UV_HTTP_TIMEOUT", "180")}
    return subprocess.run(command, check=False, env=environment).returncode


def _install_with_pip() -> int:
    pip = [str(BIN / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    code = subprocess.run([*pip, "--requirement", str(LOCK)], check=False).returncode
    if code == 0:
        editable = [*pip, "--no-deps", "--editable", str(ROOT)]
        code = subprocess.run(editable, check=False, env=_environment()).returncode
    return code


def _environment() -> dict[str, str]:
    """The front end is not built with the package, but beside it and linked: see below."""
    return {**os.environ, "STAGEBOOK_FRONT_END": "skip"}


def _build_front_end(wanted: str) -> None:
    """Have JupyterLab of `.venv` show the extension as its sources are now; quick if they did not
    change. All but the extension works without."""
    if wanted != "test":
        return
    command = [str(BIN / "python"), str(FRONT_END), "build", "link"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        print(f"! JupyterLab will not show Stagebook's panel as it is now:\n{done.stderr}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
