"""Import names are told from the distributions that provide them, in any way of installing."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from effort import at_most
from stagebook.system import installed
from stagebook.system.installed import source_folders, versions

PURE = "lib/python3.11/site-packages"


class Environment:
    """An environment with made-up distributions."""

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.site = prefix / PURE
        self.site.mkdir(parents=True)
        self.cache = prefix / "cache/distributions.json"

    def install(self, name: str, version: str, *files: str, **extra: str) -> Path:
        """A distribution with these files in its record; `top_level` and the like are more of its files."""
        info = self.site / f"{name.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: prose\n"
        )
        record = [*files, f"{info.name}/METADATA"]
        for file in files:
            if not file.startswith(("..", '"')):
                path = self.site / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
        (info / "RECORD").write_text("".join(f"{file},sha256=x,1\n" for file in record))
        for file, text in extra.items():
            (info / f"{file}.txt").write_text(text)
        self.age()
        return info

    def age(self) -> None:
        """Let nothing be of just now, each time another time."""
        self._aged = getattr(self, "_aged", 1_000_000_000) + 1_000_000_000
        for path in (self.site, self.prefix / "project"):
            if path.exists():
                os.utime(path, ns=(self._aged, self._aged))

    def versions(self, *names: str) -> dict[str, str]:
        return versions(names, prefix=self.prefix, cache=self.cache)


@pytest.fixture
def env(tmp_path: Path) -> Environment:
    return Environment(tmp_path / "env")


def test_a_module_may_be_called_otherwise_than_its_distribution(env: Environment) -> None:
    env.install("scikit-learn", "1.9", "sklearn/__init__.py", "sklearn/base.py", "scikit_learn.libs/a.so")
    env.install(
        "PyYAML", "6.0", "yaml/__init__.py", "_yaml/__init__.py", "yaml/_yaml.cpython-311-x86_64-linux-gnu.so"
    )
    env.install(
        "pillow",
        "13.0",
        "PIL/__init__.py",
        "../../../bin/pil",
        "__pycache__/x.cpython-311.pyc",
        "share/doc.txt",
    )
    env.install("six", "1.17", "six.py", "__pycache__/six.cpython-311.pyc")
    env.install("cffi", "2.0", "cffi/__init__.py", "_cffi_backend.cpython-311-x86_64-linux-gnu.so")
    env.install("types-PyYAML", "6.1", "yaml-stubs/__init__.pyi")
    env.install("odd", "1", '"odd/a,b.txt"', "odd/__init__.py")
    assert env.versions("sklearn", "yaml", "PIL", "six", "_cffi_backend", "json", "gone", "", "odd.x") == {
        "scikit-learn": "1.9", "PyYAML": "6.0", "pillow": "13.0", "six": "1.17", "cffi": "2.0", "odd": "1",
    }  # fmt: skip
    assert env.versions("sklearn.linear_model.x") == {"scikit-learn": "1.9"}
    assert env.versions("share", "bin", "__pycache__", "doc", "scikit_learn") == {}


def test_distributions_share_a_namespace(env: Environment) -> None:
    env.install(
        "google-auth", "2.1", "google/auth/__init__.py", "google/auth/jwt.py", "google/oauth2/__init__.py"
    )
    env.install("protobuf", "7.1", "google/protobuf/__init__.py", "google/_upb/_message.abi3.so")
    env.install(
        "google-cloud-storage",
        "3.1",
        "google/cloud/storage/__init__.py",
        "google/cloud/storage/blob/__init__.py",
    )
    env.install("google-cloud-core", "2.5", "google/cloud/client.py")
    everything = {
        "google-auth": "2.1",
        "protobuf": "7.1",
        "google-cloud-storage": "3.1",
        "google-cloud-core": "2.5",
    }
    assert env.versions("google") == everything
    assert env.versions("google.auth.jwt") == {"google-auth": "2.1"}
    assert env.versions("google.cloud.storage.blob") == {"google-cloud-storage": "3.1"}
    assert env.versions("google.cloud.client") == {"google-cloud-core": "2.5"}
    assert env.versions("google.cloud") == {"google-cloud-storage": "3.1", "google-cloud-core": "2.5"}
    assert env.versions("google._upb") == {"protobuf": "7.1"}


def test_a_module_of_several_distributions_has_the_versions_of_all(env: Environment) -> None:
    env.install("opencv-python", "4.1", "cv2/__init__.py")
    env.install("opencv-python-headless", "4.2", "cv2/__init__.py", "cv2/more.py")
    assert (
        env.versions("cv2")
        == env.versions("cv2.more")
        == {"opencv-python": "4.1", "opencv-python-headless": "4.2"}
    )


@pytest.mark.parametrize("way", ["path", "finder", "mapping", "top_level", "nothing"])
def test_editable_installs_are_found_in_every_way_of_making_them(env: Environment, way: str) -> None:
    project = env.prefix / "project"
    (project / "mine").mkdir(parents=True)
    (project / "mine/__init__.py").touch()
    (project / "notes").mkdir()
    file, text = {
        "path": ("_mine.pth", f"{project}\n"),
        "finder": (
            "__editable___mine_finder.py",
            f"import sys\nMAPPING: dict[str, str] = {{'mine': '{project}/mine'}}\n",
        ),
        "mapping": ("_editable_impl_mine.py", f"F.map_module('mine', '{project}/mine')\n"),
        "top_level": ("x.pth", "import x\n"),
        "nothing": ("x.pth", "import x\n"),
    }[way]
    env.install("mine", "0.3", file, **({"top_level": "mine\n"} if way == "top_level" else {}))
    (env.site / file).write_text(text)
    env.age()
    assert env.versions("mine.util") == {"mine": "0.3"}
    assert env.versions("notes") == {}
    assert source_folders(env.prefix) == ([] if way in {"top_level", "nothing"} else [str(project)])
    if way == "path":
        (project / "late.py").touch()
        env.age()
        assert env.versions("late") == {"mine": "0.3"}, "its folder is watched"


def test_old_ways_of_installing_are_read(env: Environment) -> None:
    folder = env.site / "Old_Name-1.2-py3.11.egg-info"
    folder.mkdir()
    (folder / "PKG-INFO").write_text("Name: Old-Name\nVersion: 1.2\n")
    (folder / "top_level.txt").write_text("oldie\n_oldie\n")
    (env.site / "single-2.0.egg-info").write_text("Name: single\nVersion: 2.0\n")
    (env.site / "bare-3.0.dist-info").mkdir()
    linked = env.prefix / "project"
    (linked / "linked.egg-info").mkdir(parents=True)
    (linked / "linked.egg-info/PKG-INFO").write_text("Name: linked\nVersion: 0.1\n")
    (linked / "linked.egg-info/top_level.txt").write_text("linkedmodule\n")
    (env.site / "linked.egg-link").write_text(f"{linked}\n.")
    (env.site / "gone.egg-link").write_text(f"{linked}/gone\n.")
    (env.site / "~umpy-1.0.dist-info").mkdir()
    env.age()
    found = env.versions("oldie", "single", "bare", "linkedmodule", "umpy", "gone")
    assert found == {"Old-Name": "1.2", "single": "2.0", "bare": "3.0", "linked": "0.1"}


def test_what_is_installed_or_removed_is_noticed(env: Environment) -> None:
    info = env.install("one", "1.0", "one/__init__.py")
    assert env.versions("one", "two") == {"one": "1.0"}
    kept = env.cache.read_bytes()
    assert env.versions("one", "two") == {"one": "1.0"}
    assert env.cache.read_bytes() == kept
    env.install("two", "2.0", "two.py")
    assert env.versions("one", "two") == {"one": "1.0", "two": "2.0"}
    shutil.rmtree(info)
    env.install("one", "1.1", "one/__init__.py")
    assert env.versions("one", "two") == {"one": "1.1", "two": "2.0"}


def test_what_changed_just_now_is_not_kept(env: Environment) -> None:
    env.install("one", "1.0", "one.py")
    future = time.time_ns() + 10**9
    os.utime(env.site, ns=(future, future))
    assert env.versions("one") == {"one": "1.0"}
    assert not env.cache.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"v":1}', b'{"v":0,"maps":{}}', b'{"v":1,"maps":[]}', b'{"v":1,"maps":{"KEY":1}}', b'{"v":1,"maps":{"KEY":[[],[]]}}',
        b'{"v":1,"maps":{"KEY":[[["KEY",MARK]],{"one":[["one",1]]}]}}', b'{"v":1,"maps":{"KEY":[[["KEY",MARK]],{"one":"x"}]}}', b'{"v":1,"maps":{"KEY":[[["KEY","x"]],{}]}}',
    ],
)  # fmt: skip
def test_a_damaged_cache_is_as_good_as_none(env: Environment, content: bytes) -> None:
    env.install("one", "1.0", "one.py")
    env.cache.parent.mkdir()
    mark = str(env.site.stat().st_mtime_ns).encode()
    body = content.replace(b"KEY", str(env.site).encode()).replace(b"MARK", mark)
    env.cache.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
    assert env.versions("one") == {"one": "1.0"}
    assert kept_in(env.cache)["v"] == 1
    env.cache.unlink()
    env.cache.mkdir()
    installed._latest = ([], "", {})
    assert env.versions("one") == {"one": "1.0"}
    assert versions(["one"], prefix=env.prefix, cache=None) == {"one": "1.0"}


def kept_in(cache: Path) -> dict[str, Any]:
    """What a cache file holds, below the line with the sum of it."""
    found: dict[str, Any] = json.loads(cache.read_bytes().partition(b"\n")[2])
    return found


def test_a_flipped_bit_is_no_other_version(env: Environment) -> None:
    env.install("one", "1.4", "one.py")
    assert env.versions("one") == {"one": "1.4"}
    env.cache.write_bytes(env.cache.read_bytes().replace(b'"1.4"', b'"1.5"'))
    installed._latest = ([], "", {})
    assert env.versions("one") == {"one": "1.4"}


def test_the_cache_keeps_several_environments(tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"
    for at in range(12):
        made = Environment(tmp_path / f"env{at}")
        made.install("one", f"1.{at}", "one.py")
        assert versions(["one"], prefix=made.prefix, cache=cache) == {"one": f"1.{at}"}
    assert [key.split("env")[1].split("/")[0] for key in kept_in(cache)["maps"]] == [
        str(at) for at in range(4, 12)
    ]


def test_the_nearer_folder_of_an_environment_hides_the_other(tmp_path: Path) -> None:
    base = Environment(tmp_path / "base")
    base.install("one", "1.0", "one.py")
    base.install("below", "1.0", "below.py")
    env = Environment(tmp_path / "env")
    env.install("one", "2.0", "one.py")
    (env.prefix / "lib64").symlink_to("lib")
    assert env.versions("one", "below") == {"one": "2.0"}
    config = env.prefix / "pyvenv.cfg"
    config.write_text(f"home = {base.prefix}/bin\ninclude-system-site-packages = false\n")
    assert env.versions("one", "below") == {"one": "2.0"}
    config.write_text(f"home = {base.prefix}/bin\ninclude-system-site-packages = true\n")
    assert env.versions("one", "below") == {"one": "2.0", "below": "1.0"}, "the nearer one hides"
    assert versions(["one"], prefix=tmp_path / "nowhere", cache=None) == {}


def test_it_agrees_with_the_standard_library(tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"
    wrong = {}
    for module, names in importlib.metadata.packages_distributions().items():
        if not module.isidentifier() or "__mypyc" in module:
            continue  # nothing imports it by this name
        wanted = {name: importlib.metadata.version(name) for name in names}
        if versions([module], cache=cache) != wanted:
            wrong[module] = wanted
    assert not wrong
    assert versions(["stagebook.project"], cache=cache) == {
        "stagebook": importlib.metadata.version("stagebook")
    }


_WARM = """
import sys
from pathlib import Path
from stagebook.system.installed import versions
print(versions(["yaml"], cache=Path(sys.argv[1])), "importlib.metadata" in sys.modules)
"""


def test_when_it_is_known_nothing_is_read_anew(tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"
    versions(["yaml"], cache=cache)
    done = [
        subprocess.run(
            [sys.executable, "-c", _WARM, cache], capture_output=True, text=True, check=True, timeout=60
        )
        for _ in range(2)
    ]
    assert [item.stdout.split()[-1] for item in done] == ["False", "False"]
    with at_most(10):
        for _ in range(100):
            installed._latest = ([], "", {})  # as in a new process
            versions(["yaml", "pandas"], cache=cache)
