"""What results depend on, as it is on disk and on this machine."""

from __future__ import annotations

import json
import mmap
import os
import py_compile
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from building import ProjectBuilder, notebook_data
from stagebook.pipeline.notebook import NotebookUnreadable
from stagebook.system.file_cache import FileCache
from stagebook.system.files import describe_path
from stagebook.system.store import Store
from stagebook.workspace.dependencies import ProjectDependencies
from stagebook.workspace.kernels import find_kernel
from stagebook.workspace.workspace import Workspace


class Place:
    """A project whose environment is a mapping."""

    def __init__(self, builder: ProjectBuilder) -> None:
        self.builder = builder
        self.root = builder.root
        self.env: dict[str, str] = {"PATH": os.environ["PATH"]}

    def dependencies(self, **more: Any) -> ProjectDependencies:
        """As a new process has them."""
        file_cache = FileCache(self.root / ".stagebook/cache/files.json")
        return ProjectDependencies(Workspace(self.root, file_cache), file_cache, self.store, self.env, **more)

    @property
    def store(self) -> Store:
        return Store(self.root / ".stagebook/store")

    @property
    def key(self) -> Path:
        return self.root / ".stagebook/key"


@pytest.fixture
def place(builder: ProjectBuilder, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("JUPYTER_PATH", str(builder.root / "jupyter"))
    return Place(builder)


# -- environment variables ------------------------------------------------------------------------


def test_a_mark_tells_values_apart_and_hides_them(place: Place) -> None:
    dependencies = place.dependencies()
    place.env["TOKEN"] = "1234"
    mark = dependencies.env_mark("TOKEN")
    assert mark is not None
    assert mark == dependencies.env_mark("TOKEN") == place.dependencies().env_mark("TOKEN")
    assert "1234" not in mark
    place.env |= {"TOKEN": "1235", "OTHER": "1234", "EMPTY": ""}
    others = {dependencies.env_mark("TOKEN"), dependencies.env_mark("OTHER"), dependencies.env_mark("EMPTY")}
    assert len(others | {mark}) == 4, "the same value of another variable has another mark"
    assert dependencies.env_mark("UNSET") is None


def test_the_key_is_the_projects_own_and_nobody_elses_to_read(place: Place) -> None:
    place.env["TOKEN"] = "1234"
    mark = place.dependencies().env_mark("TOKEN")
    assert stat.S_IMODE(place.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.key.parent.stat().st_mode) == 0o700
    place.key.unlink()
    assert place.dependencies().env_mark("TOKEN") != mark, "without the key nobody can try values"


@pytest.mark.parametrize("damaged", [b"", b"zz", b"00" * 31, b"\xff\xfe"])
def test_a_damaged_key_is_made_anew(place: Place, damaged: bytes) -> None:
    place.env["TOKEN"] = "1234"
    place.builder.file(".stagebook/key", damaged)
    mark = place.dependencies().env_mark("TOKEN")
    assert place.dependencies().env_mark("TOKEN") == mark is not None


def test_a_key_that_cannot_be_kept_costs_nothing_but_reuse(place: Place) -> None:
    place.env["TOKEN"] = "1234"
    place.key.mkdir(parents=True)
    assert place.dependencies().env_mark("TOKEN") != place.dependencies().env_mark("TOKEN")


def test_a_value_that_is_no_text_has_a_mark(place: Place) -> None:
    place.env["TOKEN"] = os.fsdecode(b"\xff")
    assert place.dependencies().env_mark("TOKEN")


# -- digests --------------------------------------------------------------------------------------


def test_a_digest_is_that_of_the_content(place: Place) -> None:
    file = place.builder.file("data/a.csv", "one")
    dependencies = place.dependencies()
    assert dependencies.digest("data/a.csv") == describe_path(file, "").sha256
    assert dependencies.digest("data/none.csv") is None
    file.write_text("two")
    assert dependencies.digest("data/a.csv") == place.store.blobs.keep_bytes(b"one"), "what was seen is kept"
    dependencies.forget()
    assert dependencies.digest("data/a.csv") == place.store.blobs.keep_bytes(b"two")


def test_what_is_doubtful_is_read_again_though_its_stat_is_as_it_was(place: Place) -> None:
    """A write through a shared memory map changes no stat."""
    file = place.builder.file("data/folder/a.csv", "one")
    file_cache = FileCache(clock=lambda: time.time_ns() + 10**10)
    dependencies = ProjectDependencies(Workspace(place.root, file_cache), file_cache, place.store, place.env)
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 3) as mapped:
        mapped[:] = b"one"
        before = dependencies.digest("data/folder"), dependencies.digest("data/folder/a.csv")
        mapped[:] = b"two"
        dependencies.forget(["data/folder"])
        assert dependencies.digest("data/folder") != before[0]
        assert dependencies.digest("data/folder/a.csv") == place.store.blobs.keep_bytes(b"two")


def test_a_folder_is_told_from_a_file_that_holds_its_list(place: Place) -> None:
    folder = place.root / "data/folder"
    place.builder.file("data/folder/a.csv", "one")
    place.builder.file("data/folder/sub/b.csv", "")
    kept = place.store.keep(folder, "data/folder")
    listing = place.store.blobs.path(kept.sha256).read_bytes()
    place.builder.file("data/list", listing)
    dependencies = place.dependencies()
    assert dependencies.digest("data/list") == kept.sha256
    assert dependencies.digest("data/folder") == f"{kept.sha256}/"
    place.builder.file("data/empty")
    (place.root / "data/nothing").mkdir()
    assert dependencies.digest("data/empty") != dependencies.digest("data/nothing")


@pytest.mark.parametrize("what", ["content", "name", "new", "gone", "empty folder"])
def test_all_in_a_folder_counts(place: Place, what: str) -> None:
    file = place.builder.file("data/a.csv", "one")
    place.builder.file("data/sub/b.csv", "two")
    dependencies = place.dependencies()
    before = dependencies.digest("data")
    match what:
        case "content":
            file.write_text("two")
        case "name":
            file.rename(file.with_name("c.csv"))
        case "new":
            place.builder.file("data/c.csv")
        case "gone":
            file.unlink()
        case _:
            (place.root / "data/more").mkdir()
    dependencies.forget()
    assert dependencies.digest("data") != before


def test_a_stamp_changes_with_each_writing(place: Place) -> None:
    file = place.builder.file("data/a.csv", "one")
    dependencies = place.dependencies()
    first, folder = dependencies.stamp("data/a.csv"), dependencies.stamp("data")
    assert first == dependencies.stamp("data/a.csv")
    assert folder == dependencies.stamp("data")
    found = file.stat()
    time.sleep(0.05)  # more than a tick of the file system's clock
    file.write_text("one")
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert first != dependencies.stamp("data/a.csv")
    assert folder != dependencies.stamp("data")
    file.unlink()
    assert dependencies.stamp("data/a.csv") is None


# -- what is looked at again ----------------------------------------------------------------------


def test_what_a_notebook_says_is_looked_at_again(place: Place) -> None:
    place.builder.notebook("n", "1", kernel="python3")
    dependencies = place.dependencies()
    assert dependencies.kernel("notebooks/n.ipynb", None)["kernel"] == "python3"
    before = dependencies.code("notebooks/n.ipynb", None)
    place.builder.notebook("n", "2", kernel="julia")
    dependencies.forget()
    assert dependencies.code("notebooks/n.ipynb", None) != before
    assert dependencies.kernel("notebooks/n.ipynb", None) == {"kernel": "julia", "spec": "unknown"}
    assert dependencies.kernel("notebooks/n.ipynb", "python3")["kernel"] == "python3"
    (place.root / "notebooks/n.ipynb").unlink()
    dependencies.forget()
    with pytest.raises(NotebookUnreadable):
        dependencies.code("notebooks/n.ipynb", None)


def library(folder: Path, version: str) -> None:
    for old in folder.glob("facts_library-*"):
        (old / "METADATA").unlink()
        (old / "RECORD").unlink()
        old.rmdir()
    about = folder / f"facts_library-{version}.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Name: facts-library\nVersion: {version}\n")
    (about / "RECORD").write_text("facts_library/__init__.py,,\n")


def test_the_versions_of_libraries_are_looked_at_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages"
    library(folder, "1.0")
    monkeypatch.syspath_prepend(str(folder))
    dependencies = place.dependencies()
    assert dependencies.versions(["facts_library"], "python3") == {"facts-library": "1.0"}
    library(folder, "1.1")
    dependencies.forget()
    assert dependencies.versions(["facts_library"], "python3") == {"facts-library": "1.1"}


@pytest.mark.parametrize("outside", [False, True])
def test_a_package_that_can_be_edited_counts_by_what_it_says(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outside: bool
) -> None:
    """Its version stays the same while it is worked on."""
    source = tmp_path / "elsewhere" if outside else place.root / "src"
    module = source / "facts_editable/util.py"
    module.parent.mkdir(parents=True)
    (module.parent / "__init__.py").touch()
    module.write_text("x = 1")
    site = tmp_path / "site-packages"
    site.mkdir()
    (site / "_facts_editable.pth").write_text(f"{source}\n")
    monkeypatch.syspath_prepend(str(site))
    place.builder.notebook("n", "from facts_editable import util\nutil.x")
    before = place.dependencies().code("notebooks/n.ipynb", None)
    assert [Path(item.path).name for item in before.modules] == ["__init__.py", "util.py"]
    assert place.dependencies().code("notebooks/n.ipynb", None) == before
    module.write_text("x = 22")
    assert place.dependencies().code("notebooks/n.ipynb", None) != before


def test_a_kernel_has_the_packages_of_its_own_environment(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "elsewhere"
    source.mkdir()
    (source / "facts_editable.py").write_text("x = 1")
    program = place.builder.file("env/bin/python", "one")
    kernel(place, "other", str(program), "-m", "ipykernel_launcher")
    place.builder.file("env/lib/python3.12/site-packages/x.pth", f"{source}\n")
    data = notebook_data("import facts_editable")
    for name in ("python3", "other"):
        data["metadata"]["kernelspec"] = {"name": name, "display_name": name, "language": "python"}
        place.builder.file(f"notebooks/{name}.ipynb", json.dumps(data))
    dependencies = place.dependencies()
    found = {
        (name, wanted): len(dependencies.code(f"notebooks/{name}.ipynb", wanted).modules)
        for name in ("python3", "other")
        for wanted in (None, "", "other")
    }
    assert found == {
        ("python3", None): 0, ("python3", ""): 0, ("python3", "other"): 1,
        ("other", None): 1, ("other", ""): 0, ("other", "other"): 1,
    }  # fmt: skip


# -- kernels --------------------------------------------------------------------------------------


def kernel(place: Place, name: str, *argv: str, **more: Any) -> None:
    spec = {"argv": list(argv), "display_name": name, "language": "python", **more}
    place.builder.file(f"jupyter/kernels/{name}/kernel.json", json.dumps(spec))


def test_another_program_is_told_by_its_file_and_imports_from_its_environment(place: Place) -> None:
    program = place.builder.file("env/bin/python", "one")
    library(place.root / "env/lib/python3.12/site-packages", "2.0")
    kernel(place, "other", str(program), "-m", "ipykernel_launcher")
    first = find_kernel("other", place.env)
    assert first.prefix == place.root / "env"
    assert set(first.facts) == {"kernel", "spec"}
    assert place.dependencies().versions(["facts_library"], "other") == {"facts-library": "2.0"}
    assert place.dependencies().versions(["facts_library"], "python3") == {}
    program.write_text("another")
    assert find_kernel("other", place.env).facts != first.facts


def test_a_python3_that_is_another_one_is_told_so(place: Place) -> None:
    program = place.builder.file("env/bin/python", "one")
    kernel(place, "python3", str(program), "-m", "ipykernel_launcher")
    assert "python" not in find_kernel("python3", place.env).facts
    place.builder.notebook("n", "1")
    dependencies = place.dependencies()
    assert "python" not in dependencies.kernel("notebooks/n.ipynb", None)
    assert "python" in dependencies.kernel("notebooks/n.ipynb", ""), "without a kernel it is this one"
    library(place.root / "env/lib/python3.12/site-packages", "2.0")
    assert dependencies.versions(["facts_library"], "python3") == {"facts-library": "2.0"}
    assert dependencies.versions(["facts_library"], "") == {}


def test_a_program_that_is_not_there_is_no_mistake(place: Place) -> None:
    kernel(place, "r", "no-such-program", language="R")
    assert find_kernel("r", place.env).prefix is None
    assert place.dependencies().versions(["anything"], "r") == {}


# -- code -----------------------------------------------------------------------------------------


def test_sources_are_those_that_the_digests_are_of(place: Place) -> None:
    place.builder.file("helpers.py", "VALUE = 1\n")
    place.builder.file("large.py", "#" * 300_000)
    place.builder.file("setup.py", "import large\n")
    place.builder.notebook("n", "# nothing", "import helpers", "%run setup.py", params="n = 1")
    dependencies = place.dependencies()
    sources = dependencies.sources("notebooks/n.ipynb", None)
    assert sources["cells"] == ["n = 1", "import helpers", "%run setup.py"]
    assert len(sources["cells"]) == len(dependencies.code("notebooks/n.ipynb", None).cells)
    assert sources["modules"] == {"helpers.py": "VALUE = 1\n", "setup.py": "import large\n"}


IMPORT = "import sys; sys.path.insert(0, '.'); import pkg.mod; print(pkg.mod.VALUE)"


def test_python_never_imports_what_a_module_was_before(place: Place) -> None:
    """Python takes compiled code for good by size and mtime: those can be set back."""
    file = place.builder.file("pkg/mod.py", "VALUE = 1\n")
    place.builder.file("pkg/__init__.py")
    place.builder.file("notebooks/n.ipynb", json.dumps(notebook_data("import pkg.mod")))
    found = file.stat()

    def imported() -> str:
        command = [sys.executable, "-c", IMPORT]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    py_compile.compile(str(file))
    file.write_text("VALUE = 2\n")
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert imported() == "1", "that is how Python is"
    place.dependencies().freshen("notebooks/n.ipynb", None)
    assert imported() == "2"


def test_compiled_code_that_is_newer_stays(place: Place) -> None:
    file = place.builder.file("mod.py", "VALUE = 1\n")
    place.builder.file("notebooks/n.ipynb", json.dumps(notebook_data("import mod")))
    time.sleep(0.15)
    compiled = Path(py_compile.compile(str(file)) or "")
    other = place.builder.file("__pycache__/module.cpython-311.pyc")
    os.utime(other, (0, 0))
    place.dependencies().freshen("notebooks/n.ipynb", None)
    assert compiled.exists()
    assert other.exists(), "that of another module"


def test_the_store_counts_as_empty_where_it_is_switched_off(place: Place) -> None:
    kept = place.store.keep(place.builder.file("a.txt", "one"), "a.txt")
    assert place.dependencies().holds(kept)
    assert not place.dependencies(restores=False).holds(kept)
