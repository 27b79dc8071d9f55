"""What may happen to a project between two runs, for the differential test."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from faults.worlds import DELETABLE, MODULES, SHADOWS, USES, World

NOTHING = "nothing that counts"  # after such an edit nothing may run
BACK = "back"  # the same, as long as the store is whole, and but for what is outside of the project
DAMAGE = "damage"  # of the store
OTHER = ""

Edit = Callable[[World, Path], tuple[str, str]]
"""Changes the model, or the files of a project below a root; what it did, and of which of the kinds it is."""


def _digit(chance: random.Random, old: int) -> int:
    """Another number of the same length."""
    return chance.choice([digit for digit in range(1, 10) if digit != old])


# -- code -----------------------------------------------------------------------------------------


def change_cell(world: World, _root: Path) -> tuple[str, str]:
    notebook = world.notebooks[world.chance.choice(sorted(world.notebooks))]
    notebook.salt = _digit(world.chance, notebook.salt)
    return f"{notebook.path}: SALT = {notebook.salt}", OTHER


def change_uses(world: World, _root: Path) -> tuple[str, str]:
    notebook = world.notebooks[world.chance.choice(sorted(world.notebooks))]
    name = world.chance.choice(sorted(USES))
    (notebook.uses.remove if name in notebook.uses else notebook.uses.append)(name)
    return f"{notebook.path}: uses {notebook.uses}", OTHER


def change_writing(world: World, _root: Path) -> tuple[str, str]:
    notebook = world.notebooks[world.chance.choice(sorted(world.notebooks))]
    notebook.coarse = world.chance.choice([0, 1, 2, 3])
    notebook.folder = world.chance.choice([0, 1, 2])
    return f"{notebook.path}: COARSE = {notebook.coarse}, FOLDER = {notebook.folder}", OTHER


def fail(world: World, _root: Path) -> tuple[str, str]:
    notebook = world.notebooks[world.chance.choice(sorted(world.notebooks))]
    notebook.fails = not notebook.fails
    return f"{notebook.path}: {'fails' if notebook.fails else 'is well again'}", OTHER


def mend(world: World, root: Path) -> tuple[str, str]:
    failing = [notebook for notebook in world.notebooks.values() if notebook.fails]
    for notebook in failing:
        notebook.fails = False
    return ("all are well again", OTHER) if failing else fail(world, root)


def change_looks(world: World, _root: Path) -> tuple[str, str]:
    notebook = world.notebooks[world.chance.choice(sorted(world.notebooks))]
    notebook.look += 1
    return f"{notebook.path}: looks otherwise ({notebook.look})", NOTHING


def change_notes(world: World, _root: Path) -> tuple[str, str]:
    notebook = world.notebooks[world.chance.choice(sorted(world.notebooks))]
    notebook.notes = world.chance.randint(0, 4)
    return f"{notebook.path}: {notebook.notes} notes", NOTHING


def change_format(world: World, _root: Path) -> tuple[str, str]:
    notebook = world.notebooks[world.chance.choice(sorted(world.notebooks))]
    notebook.format += 1
    return f"{notebook.path}: saved with outputs, in another format ({notebook.format})", NOTHING


def copy_notebook(world: World, _root: Path) -> tuple[str, str]:
    name = world.chance.choice(sorted(world.notebooks))
    notebook = world.notebooks[name]
    suffix = notebook.path.rpartition(".")[2]
    old, notebook.path = notebook.path, f"notebooks/{name}-{world.chance.randint(1, 99)}.{suffix}"
    return f"{old} is now {notebook.path}", NOTHING


def rewrite_notebook(world: World, root: Path) -> tuple[str, str]:
    path = world.notebooks[world.chance.choice(sorted(world.notebooks))].path
    text = (root / path).read_bytes()
    (root / f"{path}.new").write_bytes(text)
    os.replace(root / f"{path}.new", root / path)
    return f"{path}: replaced by an equal file", NOTHING


def change_module(world: World, _root: Path) -> tuple[str, str]:
    used = world.modules_in_use()
    path = world.chance.choice(used if used and world.chance.random() < 0.8 else sorted(world.numbers))
    world.numbers[path] = _digit(world.chance, world.numbers[path])
    return f"{path}: number {world.numbers[path]}", OTHER


def comment_module(world: World, _root: Path) -> tuple[str, str]:
    path = world.chance.choice(sorted(world.numbers))
    world.comments[path] = world.comments.get(path, 0) + 1
    # A command that reads a file counts all of it; what is imported or executed counts as code.
    return f"{path}: {world.comments[path]} comments", NOTHING


def delete_module(world: World, _root: Path) -> tuple[str, str]:
    there = [path for path in DELETABLE if path in world.numbers]
    if not there:
        return restore_module(world, _root)
    path = world.chance.choice(there)
    del world.numbers[path]
    return f"{path}: deleted", OTHER


def restore_module(world: World, _root: Path) -> tuple[str, str]:
    gone = [path for path in MODULES if path not in world.numbers]
    if not gone:
        return change_module(world, _root)
    world.numbers[gone[0]] = 1
    return f"{gone[0]}: there again", OTHER


def shadow(world: World, _root: Path) -> tuple[str, str]:
    path = world.chance.choice(sorted(SHADOWS))
    if path in world.numbers:
        del world.numbers[path]
        return f"{path}: deleted", OTHER
    world.numbers[path] = world.chance.randint(1, 9)
    return f"{path}: new", OTHER


def change_library(world: World, _root: Path) -> tuple[str, str]:
    world.library += 1
    return f"the library is {world.library} now", OTHER


def change_env(world: World, _root: Path) -> tuple[str, str]:
    world.env["DIFF_A"] = world.chance.choice([None, "", "one", "two"])
    return f"DIFF_A={world.env['DIFF_A']!r}", OTHER


# -- values ---------------------------------------------------------------------------------------

_OPTS = (
    {"b": 1, "a": [1, 2]},
    {"a": [1, 2], "b": 1},  # another order, which a notebook can see
    {"b": 1.0, "a": [1, 2]},
    {"b": True, "a": [1, 2]},
    {"b": "1", "a": [2, 1]},
    {},
)


def change_params(world: World, _root: Path) -> tuple[str, str]:
    chance = world.chance
    where = chance.choice([world.params, world.params, world.given])
    name = chance.choice(["n", "ks", "opts"])
    values = {"n": [1, 2, 3, 4], "ks": [[1], [1, 2], [2, 1], [1, 2, 3], [3, 2]], "opts": list(_OPTS)}
    where[name] = chance.choice(values[name])
    return f"{'-p ' if where is world.given else ''}{name}={where[name]}", OTHER


def turn_params(world: World, _root: Path) -> tuple[str, str]:
    """The same names and values in another order, which a notebook can see."""
    for where in (world.params, world.given):
        if "opts" in where:
            where["opts"] = dict(reversed(where["opts"].items()))
    return f"opts={world.given.get('opts', world.params['opts'])}", OTHER


def forget_params(world: World, _root: Path) -> tuple[str, str]:
    world.given.clear()
    return "no -p", OTHER


def change_stage_params(world: World, _root: Path) -> tuple[str, str]:
    stage = world.chance.choice(world.stages)
    if stage.kind != "foreach":
        stage.params["mode"] = world.chance.choice(["b", "c", "d", None])
    return f"{stage.name}: mode={stage.params.get('mode')}", OTHER


def change_input(world: World, _root: Path) -> tuple[str, str]:
    chance = world.chance
    path = chance.choice(sorted(world.files))
    match chance.choice(["digit", "longer", "empty", "same"]):
        case "digit":
            text = world.files[path] or "x"
            world.files[path] = f"{text[:-2]}{chance.randint(1, 9)}{text[-1:]}"
        case "longer":
            world.files[path] += "more\n"
        case "empty":
            world.files[path] = ""
        case _:
            world.files[path] = world.files[min(world.files)]
    return f"{path}: {world.files[path][-20:]!r}", OTHER


def change_folder(world: World, _root: Path) -> tuple[str, str]:
    chance = world.chance
    path = f"data/dir/{chance.choice(['', 'sub/'])}{chance.choice('xyz')}.txt"
    if path in world.files and len([name for name in world.files if "/dir/" in name]) > 1:
        text = world.files.pop(path)
        if chance.random() < 0.5:
            other = f"data/dir/{chance.choice('uvw')}.txt"
            world.files[other] = text
            return f"{path} is now {other}", OTHER
        return f"{path}: deleted", OTHER
    world.files[path] = chance.choice(["x", "y", ""])
    return f"{path}: new", OTHER


# -- the pipeline ---------------------------------------------------------------------------------


def add_stage(world: World, _root: Path) -> tuple[str, str]:
    if len(world.stages) > 9:
        return remove_stage(world, _root)
    return f"the stage {world.add_stage()} is new", OTHER


def remove_stage(world: World, _root: Path) -> tuple[str, str]:
    free = [stage for stage in world.stages if not world.followers(stage.name)]
    if len(world.stages) < 3 or not free:
        return add_stage(world, _root) if len(world.stages) < 3 else change_cell(world, _root)
    stage = world.chance.choice(free)
    world.stages.remove(stage)
    return f"the stage {stage.name} is gone", OTHER


def rename_stage(world: World, _root: Path) -> tuple[str, str]:
    stage = world.chance.choice(world.stages)
    old, new = stage.name, f"{stage.name.partition('_')[0]}_{world.chance.randint(1, 99)}"
    if any(other.name == new for other in world.stages):
        return "nothing", NOTHING
    world.rename(old, new)
    return f"{old} is called {new}", BACK


def rename_output(world: World, _root: Path) -> tuple[str, str]:
    stage = world.chance.choice(world.stages)
    key = world.chance.choice(sorted(stage.outputs.keys() - {"table"}))
    head, _, tail = stage.outputs[key].rpartition(".")
    stage.outputs[key] = f"{head}x.{tail}" if len(head) < 60 else f"out/{stage.name}{head[-11:]}.{tail}"
    return f"{stage.name}: {key} goes to {stage.outputs[key]}", OTHER


def change_outputs(world: World, _root: Path) -> tuple[str, str]:
    stage = world.chance.choice(world.stages)
    if "side" not in stage.outputs:
        stage.outputs["side"] = stage.outputs["out"].replace("out/", "out/side/", 1)
        return f"{stage.name}: writes side as well", OTHER
    if any(f"{stage.name}.side" in str(other.inputs) for other in world.stages):
        return change_params(world, _root)
    del stage.outputs["side"]
    return f"{stage.name}: writes side no more", OTHER


def change_inputs(world: World, _root: Path) -> tuple[str, str]:
    stage = world.chance.choice(world.stages)
    if not stage.inputs:
        stage.inputs["src"] = "data/a.txt"
        return f"{stage.name}: gets data/a.txt", OTHER
    key = world.chance.choice(sorted(stage.inputs))
    value = stage.inputs[key]
    if isinstance(value, str):
        stage.inputs[key] = [value]
    elif len(value) == 1:
        stage.inputs[key] = value[0]
    else:
        stage.inputs[key] = value[::-1]
    return f"{stage.name}: {key} is {stage.inputs[key]}", OTHER


def change_cache(world: World, _root: Path) -> tuple[str, str]:
    stage = world.chance.choice(world.stages)
    stage.cache = not stage.cache
    return f"{stage.name}: cache is {stage.cache}", OTHER


def change_store(world: World, _root: Path) -> tuple[str, str]:
    world.store = not world.store
    return f"the store is {'on' if world.store else 'off'}", DAMAGE


def nothing(_world: World, _root: Path) -> tuple[str, str]:
    return "nothing", NOTHING


# -- the disk -------------------------------------------------------------------------------------


def spoil_output(world: World, root: Path) -> tuple[str, str]:
    chance = world.chance
    there = [path for path in world.output_paths() if (root / path).exists()]
    if not there:
        return "nothing", NOTHING
    path = chance.choice(there)
    target = root / path
    how = chance.choice(
        ["deleted", "overwritten", "same size and time", "a folder", "emptied", "all deleted"]
    )
    if how == "all deleted":
        shutil.rmtree(root / "out")
        return "all outputs: deleted", OTHER
    found = target.stat()
    text = target.read_bytes() if target.is_file() else b""
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    match how:
        case "overwritten":
            target.write_text("by hand")
        case "same size and time":
            target.write_bytes(bytes(byte ^ 1 for byte in text))
            os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))
        case "a folder":
            target.mkdir()
            if chance.random() < 0.5:
                (target / "a.txt").write_text("by hand")
        case "emptied":
            target.touch()
    return f"{path}: {how}", OTHER


def spoil_store(world: World, root: Path) -> tuple[str, str]:
    chance = world.chance
    blobs = sorted(path for path in (root / ".stagebook/store").glob("??/*") if path.is_file())
    if not blobs:
        return "nothing", NOTHING
    how = chance.choice(["deleted", "flipped", "truncated", "all deleted", "all flipped"])
    for blob in blobs if how.startswith("all") else chance.sample(blobs, min(2, len(blobs))):
        if how.endswith("deleted"):
            blob.unlink()
            continue
        data = blob.read_bytes()
        blob.chmod(0o600)
        if how == "truncated" or not data:
            blob.write_bytes(data[: len(data) // 2] if data else b"x")
        else:
            blob.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        blob.chmod(0o400)
    return f"blobs: {how}", DAMAGE


def spoil_cache(world: World, root: Path) -> tuple[str, str]:
    chance = world.chance
    files = sorted(path for path in (root / ".stagebook/cache").rglob("*") if path.is_file())
    how = chance.choice(["deleted", "truncated", "garbage"])
    for file in files:
        if how == "deleted":
            file.unlink()
        elif how == "truncated":
            os.truncate(file, file.stat().st_size // 2)
        else:
            file.write_bytes(b"garbage")
    return f"the cache: {how}", NOTHING


EDITS: dict[Edit, int] = {
    change_cell: 8,
    change_uses: 5,
    change_writing: 3,
    change_looks: 8,
    fail: 1,
    mend: 2,
    change_notes: 4,
    change_format: 4,
    copy_notebook: 3,
    rewrite_notebook: 3,
    change_module: 12,
    comment_module: 6,
    delete_module: 3,
    restore_module: 4,
    shadow: 6,
    change_library: 3,
    change_env: 4,
    change_params: 10,
    turn_params: 2,
    forget_params: 3,
    change_stage_params: 4,
    change_input: 10,
    change_folder: 4,
    add_stage: 4,
    remove_stage: 3,
    rename_stage: 3,
    rename_output: 3,
    change_outputs: 3,
    change_inputs: 7,
    change_cache: 1,
    change_store: 1,
    nothing: 4,
    spoil_output: 10,
    spoil_store: 5,
    spoil_cache: 4,
}
