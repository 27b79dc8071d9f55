"""A pipeline file for loose notebooks, proposed from what each of them read and wrote when it ran."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from stagebook.pipeline.cells import parse_cell
from stagebook.pipeline.notebook import PARAMETERS_TAG, DeclaredParam, source_of, tags_of
from stagebook.pipeline.yaml_text import yaml
from stagebook.planning.infer.draft import (
    Draft,
    Trial,
    can_be_given,
    names_apart,
    param_text,
    stage_lines,
)
from stagebook.planning.infer.places import as_read, gathered, is_in, meet
from stagebook.workspace.patterns import fits

_HEAD = """\
# Proposed by stagebook infer from one run of the notebooks, in the order given. Read it before use:
# not every read is seen. A comment says what to change in a notebook first.
"""
_CODE = (".py", ".ipynb", ".so", ".pyi")
_DEFAULT_NAME = "stage"


def stage_names(notebooks: Sequence[str]) -> list[str]:
    """A name for the stage of each notebook, from its file's, without a leading number."""
    names: list[str] = []
    for path in notebooks:
        stem = path.rpartition("/")[2].rpartition(".")[0]
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")
        name = re.sub(r"^[^A-Za-z]+", "", name)[:50] or _DEFAULT_NAME
        numbered = (f"{name}-{number}" for number in itertools.count(2))
        names.append(next(it for it in itertools.chain([name], numbered) if it not in names))
    return names


def texts_of(notebook: Mapping[str, Any]) -> tuple[tuple[int, str], ...]:
    """The text constants of a notebook's code cells, with the numbers of the cells, from 1; without
    those of the parameters cell."""
    code = (cell for cell in notebook.get("cells", ()) if cell.get("cell_type") == "code")
    cells = (cell for cell in code if source_of(cell).strip())
    return tuple(
        (number, text)
        for number, cell in enumerate(cells, 1)
        if PARAMETERS_TAG not in tags_of(cell)
        for text in _texts(source_of(cell))
    )


def _texts(source: str) -> Iterator[str]:
    cell = parse_cell(source)
    for node in ast.walk(cell.tree) if cell.tree else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in cell.magics:
            yield node.value


def propose(
    trials: Sequence[Trial],
    *,
    normal: Callable[[str], str | None],
    files_in: Callable[[str], Collection[str]],
    bare: bool = False,
) -> str:
    """The text of a pipeline file.

    Args:
        trials: the notebooks in the order in which they ran.
        normal: a path of the project as a pipeline file has it; None for what is none.
        files_in: the files below a folder of the project.
        bare: without inputs, outputs and params: the notebooks in their order, with all remarks.
    """
    return _Proposer(trials, normal, files_in).text(bare=bare)


class _Proposer:
    def __init__(
        self,
        trials: Sequence[Trial],
        normal: Callable[[str], str | None],
        files_in: Callable[[str], Collection[str]],
    ) -> None:
        self._normal = normal
        self._files_in = files_in
        self._drafts = [self._draft(at, trial) for at, trial in enumerate(trials)]
        self._params: dict[str, DeclaredParam] = {}

    def _draft(self, at: int, trial: Trial) -> Draft:
        values: dict[str, list[str]] = {}
        for name, param in (trial.parameters or {}).items():
            texts = [param.default] if isinstance(param.default, str) else param.default
            if isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts):
                paths = [self._normal(trial.seen(text)) for text in texts]
                if None not in paths and "." not in paths:
                    values[name] = [path for path in paths if path is not None]
        return Draft(
            trial=trial,
            at=at,
            reads=tuple(path for path in trial.reads or () if path != "." and not path.endswith(_CODE)),
            writes=tuple(path for path in trial.writes or () if path != "."),
            values=values,
        )

    def text(self, *, bare: bool) -> str:
        """The whole file."""
        if bare:
            for draft in self._drafts:
                self._follow(draft)
                draft.remarks += [
                    f"it reads {path}: inputs: [{yaml(path)}]" for path, _ in gathered(draft.reads)
                ]
                draft.remarks += [
                    f"it writes {path}: outputs: [{yaml(path)}]" for path, _ in gathered(draft.writes)
                ]
        else:
            for draft in self._drafts:
                self._find_outputs(draft)
            for draft in self._drafts:
                self._find_inputs(draft)
                self._find_order(draft)
                self._remark(draft)
            self._find_params()
        return "\n".join([_HEAD, *self._lines()]) + "\n"

    # -- outputs --------------------------------------------------------------------------------

    def _find_outputs(self, draft: Draft) -> None:
        for name, paths in draft.values.items():
            if isinstance((draft.trial.parameters or {})[name].default, list):
                continue
            path = paths[0]
            written = [other for other in draft.writes if meet(path, other)]
            if not written:
                continue
            if any(is_in(self._path(draft, text) or "", path) for _, text in draft.trial.texts):
                continue  # it writes there by its own name, too: passed another path, it would write to both
            if objection := self._objection(draft, path, written):
                draft.remarks.append(f"'{name}' ({path}) is no output, since {objection}")
            else:
                draft.outputs[name] = path
        self._find_outputs_alone(draft)

    def _find_outputs_alone(self, draft: Draft) -> None:
        """What the notebook writes to paths of its own."""
        told = [path for name, paths in draft.values.items() for path in paths if _is_told(draft, name)]
        rest = [
            path
            for path in draft.writes
            if not any(is_in(path, one) for one in (*draft.outputs.values(), *told))
        ]
        found: list[str] = []
        for path, _ in gathered(rest):
            if objection := self._objection(draft, path, [*draft.writes]):
                draft.remarks.append(f"{path} is no output, since {objection}")
            elif not any(is_in(path, other) for other in found):
                found = [*(other for other in found if not is_in(other, path)), path]
        draft.alone_outputs = dict(zip(names_apart(found, draft.outputs), found, strict=True))

    def _objection(self, draft: Draft, path: str, written: Collection[str]) -> str:
        """Why what a variable names cannot be an output."""
        before = self._drafts[: draft.at + 1]
        if any(meet(other, path) for one in before for other in one.made.values()):
            return "another output is written there"
        reader = next((one for one in before if any(is_in(other, path) for other in one.reads)), None)
        if reader is not None:
            who = "the notebook" if reader is draft else f"{reader.name}"
            return f"{who} reads it before it is written"
        if not any(is_in(other, path) for other in written):
            return f"the notebook writes {min(written)} as a whole, which it is in"
        if path in written:
            return ""
        others = [file for file in self._files_in(path) if not any(is_in(file, one) for one in written)]
        if others:
            return f"it is a folder with files that are not of this notebook, such as {min(others)}"
        return ""

    # -- inputs ---------------------------------------------------------------------------------

    def _find_inputs(self, draft: Draft) -> None:
        for name, paths in draft.values.items():
            read = (any(is_in(other, path) for other in draft.reads) for path in paths)
            if name in draft.outputs or not all(read):
                continue
            refs = [self._reference(draft, path) for path in paths]
            if None not in refs:
                draft.inputs[name] = [ref for ref in refs if ref is not None]
        self._find_inputs_alone(draft)

    def _find_inputs_alone(self, draft: Draft) -> None:
        """What the notebook reads from paths of its own."""
        passed = [path for name in draft.inputs for path in draft.values[name]]
        own = draft.made.values()
        rest = [
            path
            for path in draft.reads
            if not any(is_in(path, one) for one in (*passed, *own, *draft.writes))
            and not any(is_in(one, path) for one in (*passed, *own))
        ]
        refs: dict[str, None] = {}
        for path in as_read(rest, self._files_in):
            ref = self._reference(draft, path)
            if ref is None:
                draft.remarks.append(f"it reads {path}, which a later notebook writes")
            else:
                refs[ref] = None
        draft.alone_inputs = list(refs)

    def _reference(self, draft: Draft, path: str) -> str | None:
        """How the file names an input; None where it cannot be one."""
        for other in self._drafts:
            for name, output in other.made.items():
                if is_in(path, output):  # of a later stage it is no input
                    within = path.removeprefix(output)
                    return f"{other.name}.{name}{within}" if other.at < draft.at else None
        # Without a folder it could be taken for the output of a stage.
        return path if "/" in path or "." not in path else f"./{path}"

    # -- order ----------------------------------------------------------------------------------

    def _follow(self, draft: Draft) -> None:
        if draft.at:
            draft.after[self._drafts[draft.at - 1].name] = None

    def _find_order(self, draft: Draft) -> None:
        """Come after the stages before it that it has to do with, but for those whose outputs it takes."""
        if draft.at and None in {draft.trial.reads, self._drafts[draft.at - 1].trial.reads}:
            self._follow(draft)  # what one of them does is not known
        refs = [*(ref for refs in draft.inputs.values() for ref in refs), *draft.alone_inputs]
        linked = {ref.partition(".")[0] for ref in refs}
        linked |= {
            other.name
            for other in self._drafts[: draft.at]
            if any(fits(path, ref) or is_in(path, ref) for path in other.made.values() for ref in refs)
        }
        named = {path for _, text in draft.trial.texts if (path := self._path(draft, text)) is not None}
        for other in self._drafts[: draft.at]:
            touched = any(meet(path, made) for path in (*draft.reads, *named) for made in other.writes)
            replaced = any(meet(path, had) for path in draft.writes for had in (*other.reads, *other.writes))
            if (touched or replaced) and other.name not in linked:
                draft.after[other.name] = None

    def _path(self, draft: Draft, text: str) -> str | None:
        return self._normal(draft.trial.seen(text)) if "/" in text or "." in text else None

    # -- remarks --------------------------------------------------------------------------------

    def _remark(self, draft: Draft) -> None:
        trial = draft.trial
        if trial.reads is None:
            draft.remarks.append("what it reads and writes could not be observed")
        known = {path: name for name in (*draft.inputs, *draft.outputs) for path in draft.values[name]}
        for number, path in dict.fromkeys((n, self._path(draft, text)) for n, text in trial.texts):
            if path in known:
                draft.remarks.append(f"cell {number} names {path} by itself: write {known[path]} there")

    # -- params ---------------------------------------------------------------------------------

    def _find_params(self) -> None:
        found: dict[str, list[tuple[Draft, DeclaredParam]]] = {}
        for draft in self._drafts:
            for name, param in (draft.trial.parameters or {}).items():
                if can_be_given(param) and not _is_path(draft, name):
                    found.setdefault(name, []).append((draft, param))
        for name, places in found.items():
            shared = len({(str(param.type), yaml(param.default)) for _, param in places}) == 1
            for draft, param in places:
                key = name if shared else f"{draft.name.replace('-', '_')}_{name}"
                while key in self._params and not shared:
                    key += "_"
                self._params.setdefault(key, param)
                draft.params[name] = f"${{params.{key}}}"

    # -- text -----------------------------------------------------------------------------------

    def _lines(self) -> Iterator[str]:
        if self._params:
            yield "params:"
            yield from (f"  {name}: {param_text(param)}" for name, param in self._params.items())
            yield ""
        yield "stages:"
        for at, draft in enumerate(self._drafts):
            if at:
                yield ""
            yield from (f"  {line}" for line in stage_lines(draft))


def _is_told(draft: Draft, name: str) -> bool:
    """Whether a remark says why what a variable holds is no output."""
    return any(remark.startswith(f"'{name}' ") for remark in draft.remarks)


def _is_path(draft: Draft, name: str) -> bool:
    """Whether a variable holds what the notebook reads or writes: no value to play with."""
    paths = draft.values.get(name, ())
    return any(meet(path, other) for path in paths for other in (*draft.reads, *draft.writes))
