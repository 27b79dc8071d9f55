"""Elyra's `.pipeline` (https://elyra.readthedocs.io, pipeline flow version 3) as a pipeline file.

Elyra runs each file in its own folder, to which the paths of its dependencies and outputs are relative, and brings the
outputs of the nodes before it there.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from stagebook.importing.draft import Draft, StageDraft, listed, name_from, variable_from
from stagebook.importing.source import Source
from stagebook.pipeline.model import Position
from stagebook.pipeline.types import describe
from stagebook.system.logins import looks_secret

_OPS = {"execute-notebook-node": "notebook", "execute-python-node": "script", "execute-r-node": "command"}
_KINDS = {".ipynb": "notebook", ".py": "script", ".r": "command"}
_PATTERN = re.compile(r"[*?\[]")
# What says where and in what a node runs: nothing of it changes what comes out.
_PLACES = ("runtime_image", "cpu", "cpu_limit", "memory", "memory_limit", "gpu", "gpu_vendor", "npu")
_CLUSTER = (
    "kubernetes_secrets", "mounted_volumes", "kubernetes_tolerations", "kubernetes_pod_labels",
    "kubernetes_pod_annotations", "kubernetes_shared_mem_size",
)  # fmt: skip


def read_elyra(source: Source) -> Draft | None:
    """The pipeline of a `.pipeline` file; `None` where nothing can be made of it. Mistakes are in `source.problems`."""
    text = source.text()
    data = source.json() if text is not None else None
    if source.problems or text is None:
        return None
    pipelines = data.get("pipelines") if isinstance(data, dict) else None
    if (
        not isinstance(data, dict)
        or not isinstance(pipelines, list)
        or not pipelines
        or not all(isinstance(it, dict) for it in pipelines)
    ):
        source.report((), "this is no pipeline of Elyra", "it is a mapping with the key 'pipelines'")
        return None
    wanted = data.get("primary_pipeline")
    flow = next((it for it in pipelines if it.get("id") == wanted), pipelines[0])
    nodes = [node for node in listed(flow.get("nodes")) if isinstance(node, dict)]
    if not nodes:
        source.report((), "there are no nodes in the pipeline", "name the file that has them")
        return None
    reader = _Reader(source, text, flow)
    return reader.draft(nodes, others=len(pipelines) - 1)


class _Node:
    """One node: what the file says of it, its place in the text, and its stage."""

    def __init__(self, raw: Mapping[str, Any], place: Position) -> None:
        self.raw = raw
        self.place = place
        app = raw.get("app_data")
        self.app: Mapping[str, Any] = app if isinstance(app, dict) else {}
        given = self.app.get("component_parameters", self.app)
        self.given: Mapping[str, Any] = given if isinstance(given, dict) else {}
        self.stage: StageDraft | None = None
        self.folder = ""
        self.outputs: list[str] = []
        self.is_whole = True  # all that it writes is among its outputs

    @property
    def label(self) -> str:
        """What the canvas shows."""
        shown = self.app.get("ui_data")
        label = self.app.get("label") or (shown.get("label") if isinstance(shown, dict) else "")
        return str(label or self.given.get("filename") or self.raw.get("id"))

    @property
    def before(self) -> Iterator[str]:
        """The ids of the nodes before it."""
        for port in listed(self.raw.get("inputs")):
            for link in listed(port.get("links")) if isinstance(port, dict) else ():
                if isinstance(link, dict) and isinstance(link.get("node_id_ref"), str):
                    yield link["node_id_ref"]


class _Reader:
    def __init__(self, source: Source, text: str, flow: Mapping[str, Any]) -> None:
        self._source = source
        self._text = text
        app = flow.get("app_data")
        properties = app.get("properties") if isinstance(app, dict) else {}
        self._properties: Mapping[str, Any] = properties if isinstance(properties, dict) else {}
        self._draft = Draft(
            name=name_from(source.stem, default="pipeline"),
            tool="elyra",
            source=source.path,
            description=str(self._properties.get("description") or ""),
        )

    def draft(self, raw: list[Any], *, others: int) -> Draft:
        """The whole pipeline. `others`: how many further ones are in the file."""
        nodes: dict[str, _Node] = {}
        for one in raw:
            node = _Node(one, self._source.line_of(self._text, f'"{one.get("id")}"'))
            nodes[str(one.get("id"))] = node
            self._make(node)
        for node in nodes.values():
            self._join(node, nodes)
        self._draft.stages = [node.stage for node in nodes.values() if node.stage is not None]
        self._draft.defaults["workdir"] = "notebook"
        self._defaults()
        if others:
            self._draft.notes.append(f"{others} further pipelines in the file, which super nodes stand for")
        if not self._draft.stages and not self._source.problems:
            self._source.report((), "no node runs a file that a stage can run")
        return self._draft

    def _defaults(self) -> None:
        defaults = self._properties.get("pipeline_defaults")
        variables = defaults.get("env_vars") if isinstance(defaults, dict) else None
        env, notes = _variables(variables)
        if env:
            self._draft.defaults["env"] = env
        self._draft.notes += notes
        for one in listed(self._properties.get("pipeline_parameters")):
            if isinstance(one, dict) and one.get("name"):
                default = one.get("default_value")
                value = default.get("value") if isinstance(default, dict) else default
                self._draft.params[variable_from(str(one["name"]))] = value

    # -- one node -------------------------------------------------------------------------------

    def _make(self, node: _Node) -> None:
        file = node.given.get("filename")
        op = str(node.raw.get("op", "execute-notebook-node"))
        if (
            node.raw.get("type", "execution_node") != "execution_node"
            or op not in _OPS
            or not isinstance(file, str)
        ):
            self._draft.notes.append(
                f"the node '{node.label}' ({op}): it is a component of a cluster or a group, not a file"
            )
            return
        path = self._source.inside(file, node.place)
        kind = _KINDS.get(PurePosixPath(file).suffix.lower(), _OPS[op])
        node.folder = posixpath.dirname(path)
        taken = [stage.name for stage in self._draft.stages]
        stage = StageDraft(name=name_from(PurePosixPath(node.label).stem, taken), place=node.place)
        self._draft.stages.append(stage)
        node.stage = stage
        stage.keys[kind] = ["Rscript", PurePosixPath(path).name] if kind == "command" else path
        if kind != "notebook":
            stage.keys["workdir"] = node.folder or "project"
        self._files(node, stage)
        env, notes = _variables(node.given.get("env_vars"))
        stage.put("env", env)
        stage.notes += notes
        for key in _CLUSTER:
            if value := node.given.get(key):
                stage.notes.append(f"{key}: {describe(value)}")
        if node.given.get("runtime_image"):
            stage.notes.append(
                f"the image {node.given['runtime_image']}: stages run in the environment of the project"
            )

    def _files(self, node: _Node, stage: StageDraft) -> None:
        for text in _texts(node.given.get("outputs")):
            path = self._source.inside(text, node.place, folder=node.folder)
            if _PATTERN.search(text):
                note = f"the output {path}: a pattern is no output; name the files, or a folder"
                stage.notes.append(note)
                node.is_whole = False
            else:
                node.outputs.append(path)
        stage.put("outputs", list(dict.fromkeys(node.outputs)))

    def _join(self, node: _Node, nodes: Mapping[str, _Node]) -> None:
        """Its dependencies, and the outputs of the nodes before it, which Elyra brings to it."""
        if node.stage is None:
            return
        inputs: list[str] = []
        for text in _texts(node.given.get("dependencies")):
            path = self._source.inside(text, node.place, folder=node.folder)
            if node.given.get("include_subdirectories") and _PATTERN.search(path):
                path = posixpath.join(posixpath.dirname(path), "**", posixpath.basename(path))
            inputs.append(path)
        after = []
        for name in dict.fromkeys(node.before):
            other = nodes.get(name)
            if other is None:
                message = f"the node '{node.label}' comes after a node that is not there: {name}"
                self._source.report(node.place, message)
            elif other.stage is None:
                node.stage.notes.append(f"that it comes after '{other.label}'")
            else:
                inputs += other.outputs
                if not other.outputs or not other.is_whole:
                    after.append(other.stage.name)
        node.stage.put("inputs", list(dict.fromkeys(inputs)))
        node.stage.put("after", after)


def _variables(raw: Any) -> tuple[dict[str, str], list[str]]:
    """Environment variables, in the form of version 3 (`NAME=value`) or of version 8 and later (`env_var`, `value`)."""
    made: dict[str, str] = {}
    notes: list[str] = []
    for one in raw if isinstance(raw, list) else ():
        if isinstance(one, dict):
            name, value = str(one.get("env_var") or one.get("name") or ""), one.get("value")
        else:
            name, _, value = str(one).partition("=")
        if not name:
            continue
        if looks_secret(name):
            made[name] = f"${{secret.{name}}}"
            notes.append(
                f"the value of {name}, which looks like a secret: put it where secrets are, docs/secrets.md"
            )
        elif value not in (None, ""):
            made[name] = str(value).replace("${", "$${")
    return made, notes


def _texts(raw: Any) -> list[str]:
    return [one for one in raw if isinstance(one, str) and one.strip()] if isinstance(raw, list) else []
