"""DVC's `dvc.yaml` (https://dvc.org/doc/user-guide/project-structure/dvcyaml-files) as a pipeline file."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from stagebook.importing.command_line import stage_of
from stagebook.importing.draft import Draft, StageDraft, listed, name_from
from stagebook.importing.dvc_values import Values, names_of
from stagebook.importing.source import Source
from stagebook.pipeline.model import Location
from stagebook.pipeline.types import describe

_KNOWN = {
    "cmd", "wdir", "deps", "outs", "params", "metrics", "plots", "desc", "meta", "frozen", "always_changed",
    "foreach", "do", "matrix", "vars",
}  # fmt: skip
_OUTS = ("outs", "metrics", "plots")
_PARAMS = "params.yaml"


def read_dvc(source: Source) -> Draft | None:
    """The pipeline of a `dvc.yaml`; `None` where nothing can be made of it. Mistakes are in `source.problems`."""
    data = source.yaml()
    if source.problems:
        return None
    stages = data.get("stages") if isinstance(data, dict) else None
    if not isinstance(stages, dict) or not stages:
        source.report((), "there are no stages in the file", "a dvc.yaml has the key 'stages'")
        return None
    return _Reader(source, data).draft(stages)


class _Reader:
    def __init__(self, source: Source, data: Mapping[str, Any]) -> None:
        self._source = source
        self._data = data
        name = posixpath.basename(source.folder) or source.workspace.root.name
        self._draft = Draft(name=name_from(name, default="dvc"), tool="dvc", source=source.path)
        self._vars = _variables(source, data.get("vars"))

    def draft(self, stages: Mapping[str, Any]) -> Draft:
        """The whole pipeline."""
        used: set[str] = set()
        for name, raw in stages.items():
            place: Location = ("stages", name)
            if not isinstance(raw, dict):
                self._source.report(place, f"a stage is a mapping, not {describe(raw)}")
                continue
            taken = [it.name for it in self._draft.stages]
            stage = StageDraft(name=name_from(name, taken), place=place)
            self._draft.stages.append(stage)
            used |= self._stage(stage, raw, place)
        self._draft.params = {key: value for key, value in self._vars.items() if key in used}
        for key in ("artifacts", "datasets", "metrics", "plots", "params"):
            if self._data.get(key):
                self._draft.notes.append(f"'{key}' of the file, which says what DVC shows")
        return self._draft

    def _stage(self, stage: StageDraft, raw: Mapping[str, Any], place: Location) -> set[str]:
        """Fill a stage; the names of the variables that it uses."""
        values = Values(self._vars)
        body = self._points(stage, raw, place, values)
        if body is None:
            return set()
        folder = self._folder(stage, body, (*place, "wdir"), values)

        def inside(text: str) -> str:
            return self._source.inside(text, (*place, "cmd"), folder=folder)

        commands = listed(body.get("cmd"))
        lines = [line for line in commands if isinstance(line, str) and line.strip()]
        if not lines or len(lines) < len(commands):
            self._source.report((*place, "cmd"), "the stage has no command", "cmd: python scripts/name.py")
            return set()
        stage_of(" &&\n".join(values.text(line, stage) for line in lines), stage, inside)
        inputs = [*self._inputs(stage, body, place, folder, values)]
        program = stage.keys.get("notebook") or stage.keys.get("script")
        stage.put("inputs", [path for path in dict.fromkeys(inputs) if path != program])
        self._outputs(stage, body, place, folder, values)
        stage.put("description", body.get("desc"))
        stage.put("frozen", body.get("frozen") or None)
        if body.get("always_changed"):
            stage.keys["cache"] = False
        stage.notes += [f"{key}: {describe(body[key])}" for key in body if key not in _KNOWN or key == "vars"]
        return values.used

    # -- points ---------------------------------------------------------------------------------

    def _points(
        self, stage: StageDraft, raw: Mapping[str, Any], place: Location, values: Values
    ) -> Mapping[str, Any] | None:
        """What is repeated of a stage, once its points are set; `None` where that cannot be read."""
        if isinstance(raw.get("matrix"), dict):
            stage.keys["matrix"] = {axis: values.listed(one, stage) for axis, one in raw["matrix"].items()}
            values.items = "matrix"
            return raw
        if "foreach" not in raw:
            return raw
        body, items = raw.get("do"), raw["foreach"]
        if not isinstance(body, dict):
            self._source.report(place, "a stage with 'foreach' has what is repeated under 'do'")
            return None
        if isinstance(items, str):
            items = values.looked_up(items)
        if isinstance(items, dict):
            values.items = "named"
            needs_key = "key" in names_of(body)
            stage.keys["matrix"] = {
                "item": {key: _with_key(key, one) if needs_key else one for key, one in items.items()}
            }
            values.wrapped = needs_key and not all(isinstance(one, dict) for one in items.values())
        elif isinstance(items, list):
            values.items = "list"
            stage.keys["foreach"] = items
        else:
            what = describe(raw["foreach"])
            self._source.report((*place, "foreach"), f"'foreach' is a list or a mapping, not {what}")
            return None
        return body

    # -- paths ----------------------------------------------------------------------------------

    def _folder(self, stage: StageDraft, body: Mapping[str, Any], place: Location, values: Values) -> str:
        """The folder in which the command runs, from the root."""
        wdir = values.text(str(body.get("wdir") or "."), stage)
        folder = self._source.inside(wdir, place)
        if folder in {"", "."}:
            return ""
        stage.keys["workdir"] = folder
        return folder

    def _inputs(
        self, stage: StageDraft, body: Mapping[str, Any], place: Location, folder: str, values: Values
    ) -> Iterator[str]:
        for at, dep in enumerate(listed(body.get("deps"))):
            where = (*place, "deps", at)
            if not isinstance(dep, str):
                self._source.report(where, f"a dependency is a path, not {describe(dep)}")
            elif self._source.is_elsewhere(dep):
                stage.notes.append(f"the dependency {dep}: declare a connection for it")
            else:
                yield self._source.inside(values.text(dep, stage), where, folder=folder)
        for at, one in enumerate(listed(body.get("params"))):
            files = one if isinstance(one, dict) else {_PARAMS: [one]}
            for file, keys in files.items():
                path = self._source.inside(file, (*place, "params", at), folder=folder)
                if keys:
                    shown = ", ".join(map(str, keys)) if isinstance(keys, list) else str(keys)
                    stage.notes.append(f"that of {path} only {shown} counts: the whole file does")
                yield path

    def _outputs(
        self, stage: StageDraft, body: Mapping[str, Any], place: Location, folder: str, values: Values
    ) -> None:
        made = stage.keys.get("outputs", {})
        written = {one["path"]: one for one in made.values()}
        for key in _OUTS:
            for at, out in enumerate(listed(body.get(key))):
                path, options = next(iter(out.items())) if isinstance(out, dict) and out else (out, None)
                where = (*place, key, at)
                if not isinstance(path, str):
                    self._source.report(where, f"an output is a path, not {describe(out)}")
                elif self._source.is_elsewhere(path):
                    stage.notes.append(f"the output {path}, which is outside of the project")
                else:
                    target = self._source.inside(values.text(path, stage), where, folder=folder)
                    written.setdefault(target, target)
                    if isinstance(options, dict) and options.get("persist"):
                        stage.notes.append(f"persist: the command begins without {target}")
        stage.put("outputs", list(written.values()))


def _with_key(key: str, value: Any) -> Any:
    return {**value, "key": key} if isinstance(value, dict) else {"key": key, "value": value}


def _variables(source: Source, named: Any) -> dict[str, Any]:
    """The variables that `${…}` in the file refers to: of `params.yaml`, and of `vars`."""
    found: dict[str, Any] = {}

    def add(path: str, keys: str = "") -> None:
        data = source.yaml_beside(path) if path else None
        for key, value in data.items() if isinstance(data, dict) else ():
            if not keys or key in keys.split(","):
                found[key] = value

    add(posixpath.join(source.folder, _PARAMS))
    for at, one in enumerate(listed(named)):
        if isinstance(one, dict):
            found |= one
        elif isinstance(one, str):
            file, _, keys = one.partition(":")
            add(source.inside(file, ("vars", at)), keys)
    return found
