"""Every bad input is told of with its place and what to do, all at once, and leaves no trace."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import pytest

from building import ProjectBuilder
from effort import at_most
from stagebook.errors import PipelineInvalid, PipelineNotFound
from stagebook.pipeline.yaml import MAX_BYTES, read_document
from stagebook.project import Given


def fill(builder: ProjectBuilder) -> None:
    """A project with notebooks good and bad, and links that lead astray."""
    params = 'n: int = 1\nsrc: str = ""\nout: str = ""\nloose = 1'
    builder.notebook("a", "x = n", params=params)
    builder.notebook("b", "x = n", params=params)
    builder.notebook("plain", "x = 1")
    builder.notebook("hollow", "x = 1", params="")
    builder.notebook("broken", "x = 1", params="n = = 1")
    builder.notebook("julia", "x = 1", kernel="julia-1.11")
    builder.file("notebooks/text.ipynb", "# %%\nx = 1\n")
    builder.file("notebooks/nothing.ipynb", "")
    builder.file("notebooks/latin.ipynb", b'{"cells": ["caf\xe9"]}')
    builder.file("notebooks/list.ipynb", "[1, 2]")
    builder.file("notebooks/old.ipynb", '{"nbformat": 3, "worksheets": [], "metadata": {}}')
    builder.file("notebooks/none-format.ipynb", '{"cells": []}')
    builder.file("notebooks/folder.ipynb/x", "")
    builder.file("raw/x.csv", "a,b\n")
    builder.file(".stagebook/keep", "")
    outside = builder.root.parent / "outside"
    outside.mkdir()
    (outside / "a.ipynb").write_text("{}")
    (outside / "x.csv").write_text("a,b\n")
    (builder.root / "data").mkdir()
    (builder.root / "link").symlink_to("data")
    (builder.root / "state").symlink_to(".stagebook")
    (builder.root / "away").symlink_to(outside)
    (builder.root / "secret.txt").symlink_to(outside / "x.csv")


def cases(table: str) -> list[object]:
    """Bad inputs, each as `=== what it is`, the pipeline file, `>>>` and the screen."""
    found = []
    table = table.replace("FFF", "f" * 300).replace("XXX", "x" * 220)  # too long to be written out
    for part in table.split("=== ")[1:]:
        name, _, rest = part.partition("\n")
        text, _, screen = rest.partition(">>>\n")
        found.append(pytest.param(text, screen.strip(), id=name))
    return found


def tree(root: Path) -> dict[str, tuple[float, bytes]]:
    """Every file and folder below `root`, with its time and content."""
    return {
        path.relative_to(root).as_posix(): (
            path.lstat().st_mtime,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in root.rglob("*")
    }


def checked(builder: ProjectBuilder, text: str | bytes) -> str:
    """The screen of a pipeline file; asserts that looking at it changed nothing on disk."""
    builder.file("pipelines/p.yaml", text)
    before = tree(builder.root.parent)
    screen = builder.screen()
    assert tree(builder.root.parent) == before
    # Where this runs, and which kernels are installed here.
    screen = screen.replace(str(builder.root.parent), "ROOT")
    return re.sub(r"known: [^;\n]*\bpython3\b[^;\n]*", "known: python3", screen)


@pytest.fixture
def project(builder: ProjectBuilder) -> ProjectBuilder:
    fill(builder)
    return builder


SYNTAX = cases("""
=== an empty file
>>>
pipelines/p.yaml: the file is empty
    a pipeline has at least one stage: stages: {name: {notebook: path}}
=== a file of comments only
# nothing yet
>>>
pipelines/p.yaml: the file is empty
    a pipeline has at least one stage: stages: {name: {notebook: path}}
=== a file that holds one word
flights
>>>
pipelines/p.yaml:1:1: the file has to be a mapping, not 'flights' (str)
=== a syntax error
name: flights: daily
>>>
pipelines/p.yaml:1:14: YAML syntax: mapping values are not allowed in this context
    put text that holds ': ' in quotes
=== a bracket that is never closed
stages:
  a: {notebook: [x
name: p
>>>
pipelines/p.yaml:3:5: YAML syntax: did not find expected ',' or ']'
    close the bracket; within brackets, text that holds [ ] { } or , is quoted; it belongs to what starts in line 2
=== quotes that are never closed
name: "flights
>>>
pipelines/p.yaml:2:1: YAML syntax: found unexpected end of stream
    close the quotes; it belongs to what starts in line 1
=== brackets in a text within brackets
params:
  months: {type: list[int], default: [1]}
>>>
pipelines/p.yaml:2:22: YAML syntax: did not find expected ',' or '}'
    close the bracket; within brackets, text that holds [ ] { } or , is quoted
=== an alias without an anchor
name: *flights
>>>
pipelines/p.yaml:1:7: YAML syntax: found undefined alias
    an alias (*name) comes after its anchor (&name)
=== a tab
stages:
	a: 1
>>>
pipelines/p.yaml:2:1: YAML syntax: a tab stands where YAML wants spaces
    indent with spaces
=== a duplicate key
name: p
stages:
  a:
    notebook: notebooks/a.ipynb
name: q
>>>
pipelines/p.yaml:5:1: duplicate key 'name'
    it was given in line 1 already; keep one of them
=== a duplicate key in a stage
stages:
  a:
    notebook: notebooks/a.ipynb
    retries: 1
    retries: 2
>>>
pipelines/p.yaml:5:5: duplicate key 'retries'
    it was given in line 4 already; keep one of them
=== an alias that holds itself
name: &a [*a]
>>>
pipelines/p.yaml:1:7: an alias refers to the value that it stands in
=== a second document
stages:
  a:
    notebook: notebooks/a.ipynb
---
name: q
>>>
pipelines/p.yaml:4:1: more than one YAML document in the file
    keep one document; remove the '---'
=== a Python object
name: !!python/object/apply:os.system [ls]
>>>
pipelines/p.yaml:1:7: the YAML tag '!!python/object/apply:os.system' is not allowed
    write plain values
=== a tag of its own
name: !secret x
>>>
pipelines/p.yaml:1:7: the YAML tag '!secret' is not allowed
    write plain values
=== a key that is a list
? [a]
: b
>>>
pipelines/p.yaml:1:3: a key has to be plain text
=== a zero byte in the text
name: "p"
x: \x00
>>>
pipelines/p.yaml:2:4: the character U+0000 is not allowed in YAML
    remove it
=== a number too long
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: 0xFFF}
>>>
pipelines/p.yaml:4:17: a number of more than 300 digits
""")

KEYS = cases("""
=== an unknown key at the top level
nmae: p
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
pipelines/p.yaml:1:1: unknown key 'nmae'
    did you mean 'name'?
=== a misspelt key is not missing as well
stage:
  a: {notebook: notebooks/a.ipynb}
>>>
pipelines/p.yaml:1:1: unknown key 'stage'
    did you mean 'stages'?
=== an unknown key in a stage
stages:
  a:
    notebook: notebooks/a.ipynb
    noteboook: x
>>>
pipelines/p.yaml:4:5: unknown key 'noteboook'
    did you mean 'notebook'?
=== an unknown key called int
stages:
  a:
    notebook: notebooks/a.ipynb
    int: 1
>>>
pipelines/p.yaml:4:5: unknown key 'int'
    did you mean 'inputs'?
=== an unknown key in an output
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: {path: data/x, knd: file}}
>>>
pipelines/p.yaml:4:35: unknown key 'knd'
    did you mean 'kind'?
=== an unknown key in defaults
defaults: {retris: 1}
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
pipelines/p.yaml:1:12: unknown key 'retris'
    did you mean 'retries'?
=== an unknown key in a long-form param
params:
  n: {type: int, defualt: 3}
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
pipelines/p.yaml:2:18: unknown key 'defualt'
    did you mean 'default'?
=== a mapping as the short form of a param
params:
  n: {type: forest, depth: 3}
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
pipelines/p.yaml:2:21: unknown key 'depth'
    a mapping as the value of a parameter is written as default: {…}
=== no stages
name: p
>>>
pipelines/p.yaml:1:1: 'stages' is missing
    a pipeline has at least one stage: stages: {name: {notebook: path}}
=== an empty list of stages
stages: {}
>>>
pipelines/p.yaml:1:1: the pipeline has no stage
    add one: name: {notebook: path}
=== stages that are nothing
stages:
>>>
pipelines/p.yaml:1:1: 'stages' has to be a mapping, not None
=== a stage that is nothing
stages:
  a:
>>>
pipelines/p.yaml:2:3: a stage has to be a mapping, not None
    name its notebook: notebook: notebooks/name.ipynb
=== a stage without a notebook
stages:
  a: {retries: 1}
>>>
pipelines/p.yaml:2:3: 'notebook' is missing
    name the notebook that this stage runs: notebook: notebooks/name.ipynb
=== a notebook that is empty
stages:
  a: {notebook: ""}
>>>
pipelines/p.yaml:2:7: 'notebook' is empty
    name a notebook: notebooks/name.ipynb
=== params that are a list
stages:
  a:
    notebook: notebooks/a.ipynb
    params: [1]
>>>
pipelines/p.yaml:4:5: 'params' has to be a mapping, not [1] (list)
=== an output that is a number
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: 3}
>>>
pipelines/p.yaml:4:15: 'out': expected a path or {path: …, kind: …}, got 3 (int)
=== an output without a path
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: {kind: file}}
>>>
pipelines/p.yaml:4:15: 'path' is missing
    say where the output is written: path: data/name.parquet
=== an output of an unknown kind
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: {path: x, kind: url}}
>>>
pipelines/p.yaml:4:30: 'kind' is file or external, not 'url' (str)
=== an item of after that is a number
stages:
  a:
    notebook: notebooks/a.ipynb
    after: [3]
>>>
pipelines/p.yaml:4:13: 'after[0]' has to be text, not 3 (int)
=== a name of a stage with a space
stages:
  a b: {notebook: notebooks/a.ipynb}
>>>
pipelines/p.yaml:2:3: 'a b' is not a name for a stage
    use letters, digits, '_' and '-', and start with a letter
=== a name of a stage with a line end
stages:
  "a\\nb": {notebook: notebooks/a.ipynb}
>>>
pipelines/p.yaml:2:3: 'a\\nb' is not a name for a stage
    use letters, digits, '_' and '-', and start with a letter
=== a name of the pipeline that is a path
name: ../p
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
pipelines/p.yaml:1:1: '../p' is not a name
    use letters, digits, '_' and '-', and start with a letter
=== a name of the pipeline that is empty
name: ""
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
pipelines/p.yaml:1:1: '' is not a name
    use letters, digits, '_' and '-', and start with a letter
=== a name of the pipeline that is a number
name: 3
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
pipelines/p.yaml:1:1: 'name' has to be text, not 3 (int)
""")

RUNNING = cases("""
=== a timeout that is a word
stages:
  a:
    notebook: notebooks/a.ipynb
    timeout: soon
>>>
pipelines/p.yaml:4:5: 'timeout': expected a duration such as 90, 45s, 30m or 1h30m, got 'soon' (str)
=== a negative timeout
stages:
  a:
    notebook: notebooks/a.ipynb
    timeout: -1
>>>
pipelines/p.yaml:4:5: 'timeout': expected a duration such as 90, 45s, 30m or 1h30m, got -1 (int)
=== a timeout of nothing
stages:
  a:
    notebook: notebooks/a.ipynb
    timeout: 0s
>>>
pipelines/p.yaml:4:5: 'timeout': expected a time above 0; leave it out for no limit
=== an endless timeout
stages:
  a:
    notebook: notebooks/a.ipynb
    timeout: .inf
>>>
pipelines/p.yaml:4:5: 'timeout': expected a duration such as 90, 45s, 30m or 1h30m, got inf (float)
=== a timeout of ages
stages:
  a:
    notebook: notebooks/a.ipynb
    timeout: 99999999d
>>>
pipelines/p.yaml:4:5: 'timeout': expected a duration such as 90, 45s, 30m or 1h30m, got '99999999d' (str)
=== a bad retry delay in defaults
defaults: {retry_delay: 1 week}
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
pipelines/p.yaml:1:12: 'retry_delay': expected a duration such as 90, 45s, 30m or 1h30m, got '1 week' (str)
=== negative retries
stages:
  a:
    notebook: notebooks/a.ipynb
    retries: -1
>>>
pipelines/p.yaml:4:5: 'retries' has to be from 0 to 100, not -1
=== too many retries
stages:
  a:
    notebook: notebooks/a.ipynb
    retries: 101
>>>
pipelines/p.yaml:4:5: 'retries' has to be from 0 to 100, not 101
=== half a retry
stages:
  a:
    notebook: notebooks/a.ipynb
    retries: 1.5
>>>
pipelines/p.yaml:4:5: 'retries' has to be a whole number, not 1.5 (float)
=== retries that are true
stages:
  a:
    notebook: notebooks/a.ipynb
    retries: true
>>>
pipelines/p.yaml:4:5: 'retries' has to be a whole number, not True (bool)
=== an unknown executor
stages:
  a:
    notebook: notebooks/a.ipynb
    executor: dask
>>>
pipelines/p.yaml:4:5: 'executor' is kernel or inprocess, not 'dask' (str)
""")

REFERENCES = cases("""
=== an unknown stage
stages:
  a:
    notebook: notebooks/a.ipynb
    inputs: {src: extrct.out}
>>>
pipelines/p.yaml:4:14: unknown reference 'extrct.out': there is no stage 'extrct'
    known: a
=== an unknown stage with a similar name
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: aa.out}
>>>
pipelines/p.yaml:7:14: unknown reference 'aa.out': there is no stage 'aa'
    did you mean 'a'?
=== an unknown output
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: a.oot}
>>>
pipelines/p.yaml:7:14: 'a' has no output 'oot'
    did you mean 'out'?
=== an output of a stage that has none
stages:
  a: {notebook: notebooks/a.ipynb}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: a.out}
>>>
pipelines/p.yaml:5:14: 'a' has no output 'out'
    a declares no outputs
=== an unknown point
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: [1, 2]}
    outputs: {out: "data/${matrix.m}"}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: a@3.out}
>>>
pipelines/p.yaml:8:14: no stage instance 'a@3'
    did you mean 'a@2'?
=== an unknown stage in after
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    after: [a, c]
>>>
pipelines/p.yaml:7:16: unknown stage 'c'
    known: a, b
=== after itself
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    after: [a, b]
>>>
pipelines/p.yaml:7:16: 'b' cannot come after itself
    remove it
=== an input that is a number
stages:
  a:
    notebook: notebooks/a.ipynb
    inputs: {src: 3}
>>>
pipelines/p.yaml:4:14: the input 'src' has to be a reference or a list of them
    name an output as stage.output, or a file of the project
=== an item of an input that is a number
stages:
  a:
    notebook: notebooks/a.ipynb
    inputs: {src: [data/x, 3]}
>>>
pipelines/p.yaml:4:28: an item of the input 'src' has to be a reference, not 3 (int)
    name an output as stage.output, or a file of the project
=== an input that is an empty list
stages:
  a:
    notebook: notebooks/a.ipynb
    inputs: {src: []}
>>>
pipelines/p.yaml:4:14: the input 'src' is an empty list
    name an output as stage.output, or a file of the project
=== an input that is not there
stages:
  a:
    notebook: notebooks/a.ipynb
    inputs: {src: data/none.csv}
>>>
pipelines/p.yaml:4:14: input 'src': there is no file 'data/none.csv'
    check the path, or make it an output of a stage
=== an input that another stage writes
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: data/./a}
>>>
pipelines/p.yaml:7:14: 'data/a' is written by a
    refer to it as a.out, so that the order is known
=== an input whose expression is a list
stages:
  a:
    notebook: notebooks/a.ipynb
    inputs: {src: "${[1, 2]}"}
>>>
pipelines/p.yaml:4:14: input 'src' has to be text, not [1, 2] (list)
=== a stage that needs itself
stages:
  a:
    notebook: notebooks/a.ipynb
    inputs: {src: a.out}
    outputs: {out: data/x}
>>>
pipelines/p.yaml:4:14: 'a' needs itself
    remove this
=== a cycle of two
stages:
  a:
    notebook: notebooks/a.ipynb
    inputs: {src: b.out}
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: a.out}
    outputs: {out: data/b}
>>>
pipelines/p.yaml:4:14: a cycle: a → b → a (each needs the next)
    remove this, or what another of them needs
=== a cycle of three through after
stages:
  a: {notebook: notebooks/a.ipynb, after: [c]}
  b: {notebook: notebooks/b.ipynb, after: [a]}
  c: {notebook: notebooks/b.ipynb, after: [b]}
>>>
pipelines/p.yaml:2:36: a cycle: a → c → b → a (each needs the next)
    remove this, or what another of them needs
=== a cycle through a scrap
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: "${stages.b.scraps.rows}"
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: a.out}
>>>
pipelines/p.yaml:5:7: a cycle: a → b → a (each needs the next)
    remove this, or what another of them needs
=== two cycles
stages:
  a: {notebook: notebooks/a.ipynb, after: [b]}
  b: {notebook: notebooks/b.ipynb, after: [a]}
  c: {notebook: notebooks/a.ipynb, after: [d]}
  d: {notebook: notebooks/b.ipynb, after: [c]}
>>>
pipelines/p.yaml:2:36: a cycle: a → b → a (each needs the next)
    remove this, or what another of them needs
pipelines/p.yaml:4:36: a cycle: c → d → c (each needs the next)
    remove this, or what another of them needs
""")

PATHS = cases("""
=== two stages that write one path
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    outputs: {out: data/a}
>>>
pipelines/p.yaml:7:15: 'data/a' is written by both a and b
    give each output a path of its own
=== one path with a dot
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    outputs: {out: data/./a}
>>>
pipelines/p.yaml:7:15: 'data/a' is written by both a and b
    give each output a path of its own
=== one path with two dots
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    outputs: {out: x/../data/a}
>>>
pipelines/p.yaml:7:15: 'data/a' is written by both a and b
    give each output a path of its own
=== one path through a link among the folders
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    outputs: {out: link/a}
>>>
pipelines/p.yaml:7:15: 'data/a' is written by both a and b
    give each output a path of its own
=== two outputs of one stage
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/x, src: data//x}
>>>
pipelines/p.yaml:4:28: 'data/x' is written by two outputs of a
    give each output a path of its own
=== a path inside another output
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    outputs: {out: data/a/b}
>>>
pipelines/p.yaml:7:15: 'data/a/b' lies inside 'data/a', which a writes as a whole
    give each output a path of its own
=== points that write one path
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: [1, 2, 3]}
    outputs: {out: data/x}
>>>
pipelines/p.yaml:5:15: 'data/x' is written by both a@1 and a@2
    put the point into the path, such as ${matrix.m}
=== a path that climbs out
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "../x"}
>>>
pipelines/p.yaml:4:15: output 'out': '../x' leaves the project
    files of a pipeline live inside its project
=== a path that climbs out later
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "data/../../x"}
>>>
pipelines/p.yaml:4:15: output 'out': 'data/../../x' leaves the project
    files of a pipeline live inside its project
=== an absolute path
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "/tmp/x"}
>>>
pipelines/p.yaml:4:15: output 'out': '/tmp/x' is not relative to the project
    write it relative to the project root, such as data/name.parquet
=== a path of a home folder
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "~/x"}
>>>
pipelines/p.yaml:4:15: output 'out': '~/x' is not relative to the project
    write it relative to the project root, such as data/name.parquet
=== a path of Windows
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "C:/x"}
>>>
pipelines/p.yaml:4:15: output 'out': 'C:/x' is not relative to the project
    write it relative to the project root, such as data/name.parquet
=== a URL
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "s3://bucket/x"}
>>>
pipelines/p.yaml:4:15: output 'out': 's3://bucket/x' is a URL, not a path of the project
    an output that the notebook writes there itself is {path: 's3://bucket/x', kind: external}
=== a path through a link to outside
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "away/x"}
>>>
pipelines/p.yaml:4:15: output 'out': 'away/x' leads out of the project through a symlink, to ROOT/outside
    files of a pipeline live inside its project
=== a path that is a link to outside
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "secret.txt"}
>>>
pipelines/p.yaml:4:15: output 'out': 'secret.txt' leads out of the project through a symlink, to ROOT/outside/x.csv
    files of a pipeline live inside its project
=== a path into the state folder
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: ".stagebook/x"}
>>>
pipelines/p.yaml:4:15: output 'out': an output cannot be written to .stagebook/
    choose a path such as data/name.parquet
=== a path into the state folder through a link
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "state/x"}
>>>
pipelines/p.yaml:4:15: output 'out': an output cannot be written to .stagebook/
    choose a path such as data/name.parquet
=== a path into git
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "data/../.git/hooks/post-commit"}
>>>
pipelines/p.yaml:4:15: output 'out': an output cannot be written to .git/
    choose a path such as data/name.parquet
=== a path into a nested git
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "sub/.GIT/x"}
>>>
pipelines/p.yaml:4:15: output 'out': an output cannot be written to .git/
    choose a path such as data/name.parquet
=== the project itself
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "."}
>>>
pipelines/p.yaml:4:15: output 'out': an output cannot be written to the project root
    choose a path such as data/name.parquet
=== the path of a notebook
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "notebooks/../notebooks/b.ipynb"}
  b: {notebook: ./notebooks/b.ipynb}
>>>
pipelines/p.yaml:4:15: the output 'notebooks/b.ipynb' would overwrite a notebook of the pipeline
    choose another path, such as data/name.parquet
=== the path of its own notebook
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "notebooks/a.ipynb"}
>>>
pipelines/p.yaml:4:15: the output 'notebooks/a.ipynb' would overwrite a notebook of the pipeline
    choose another path, such as data/name.parquet
=== the folder of the notebooks
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "notebooks"}
>>>
pipelines/p.yaml:4:15: the output 'notebooks' would take the place of 'notebooks/a.ipynb', a notebook of the pipeline
    choose another path, such as data/name.parquet
=== a path inside a notebook
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "notebooks/a.ipynb/x"}
>>>
pipelines/p.yaml:4:15: the output 'notebooks/a.ipynb/x' would lie inside 'notebooks/a.ipynb', a notebook of the pipeline
    choose another path, such as data/name.parquet
=== the path of the pipeline file
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "pipelines/p.yaml"}
>>>
pipelines/p.yaml:4:15: the output 'pipelines/p.yaml' would overwrite the pipeline file itself
    choose another path, such as data/name.parquet
=== the path of the settings
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "pyproject.toml"}
>>>
pipelines/p.yaml:4:15: the output 'pyproject.toml' would overwrite the settings of the project
    choose another path, such as data/name.parquet
=== an empty path
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: ""}
>>>
pipelines/p.yaml:4:15: output 'out': the path is empty
=== a path with a line end
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "data/x\\ny"}
>>>
pipelines/p.yaml:4:15: output 'out': 'data/x\\ny' holds a character that cannot be seen
    remove it
=== a name too long for a file
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: "XXX"}
>>>
pipelines/p.yaml:4:15: output 'out': 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…' is longer than a path may be
=== an output that holds the input of a stage
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: raw/x.csv}
    outputs: {out: raw}
>>>
pipelines/p.yaml:8:15: the output 'raw' would take the place of 'raw/x.csv', an input of b
    choose another path, such as data/name.parquet
=== an input that climbs out
stages:
  a:
    notebook: notebooks/a.ipynb
    inputs: {src: ../x.csv}
>>>
pipelines/p.yaml:4:14: input 'src': '../x.csv' leaves the project
    files of a pipeline live inside its project
=== an input through a link to outside
stages:
  a:
    notebook: notebooks/a.ipynb
    inputs: {src: away/x.csv}
>>>
pipelines/p.yaml:4:14: input 'src': 'away/x.csv' leads out of the project through a symlink, to ROOT/outside
    files of a pipeline live inside its project
=== a notebook that climbs out
stages:
  a: {notebook: ../a.ipynb}
>>>
pipelines/p.yaml:2:7: notebook: '../a.ipynb' leaves the project
    files of a pipeline live inside its project
=== a notebook through a link to outside
stages:
  a: {notebook: away/a.ipynb}
>>>
pipelines/p.yaml:2:7: notebook: 'away/a.ipynb' leads out of the project through a symlink, to ROOT/outside
    files of a pipeline live inside its project
=== an external output without a place
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: {path: "", kind: external}}
>>>
pipelines/p.yaml:4:15: output 'out': the path is empty
""")

VALUES = cases("""
=== a parameter that the notebook does not declare
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {m: 1}
>>>
pipelines/p.yaml:4:14: 'notebooks/a.ipynb' declares no parameter 'm'
    known: n, src, out, loose
=== an output that the notebook does not declare
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {report: data/x}
>>>
pipelines/p.yaml:4:15: 'notebooks/a.ipynb' declares no parameter 'report'
    known: n, src, out, loose
=== a name given twice
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {out: x}
    outputs: {out: data/x}
>>>
pipelines/p.yaml:5:15: 'out' is given twice, under params and outputs
    each is one variable of the notebook; rename one of them
=== a default of the wrong type
params:
  n: {type: int, default: many}
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: "${params.n}"}
>>>
pipelines/p.yaml:2:18: the default of 'n' does not fit: expected int, got 'many' (str)
=== an unknown type
params:
  n: {type: integer, default: 1}
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: "${params.n + 1}"}
>>>
pipelines/p.yaml:2:7: unknown type 'integer'
    types are int, float, bool, str, date, Path, list[int], int | None, Literal['a', 'b'] …
=== a type that is a number
params:
  n: {type: 3}
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
pipelines/p.yaml:2:7: 'type' has to be text, not 3 (int)
=== a param without a value
params:
  n: {type: int}
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
-p: 'n' has no default and was not given
    -p n=…
=== a value that is not what the notebook declares
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: many}
>>>
pipelines/p.yaml:4:14: 'n' does not fit: expected int, got 'many' (str)
    in the notebook 'n' is declared as int
=== a float for an int
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: 1.5}
>>>
pipelines/p.yaml:4:14: 'n' does not fit: expected int, got 1.5 (float)
    in the notebook 'n' is declared as int
=== a value in the matrix that does not fit
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: [1, two, three]}
    params: {n: "${matrix.m}"}
>>>
pipelines/p.yaml:5:14: 'n' does not fit: expected int, got 'two' (str)
    in the notebook 'n' is declared as int
=== a value that is not of the kind of the default
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {loose: [1]}
>>>
pipelines/p.yaml:4:14: 'loose' does not fit: expected int, got [1] (list)
    in the notebook 'loose' has a default of the type int
=== a list for a path
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: [1, 2]}
    outputs: {out: "data/${matrix.m}"}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: a.out}
>>>
pipelines/p.yaml:8:14: 'src' does not fit: expected str, got ['data/1', 'data/2'] (list)
    in the notebook 'src' is declared as str
=== names of parameters that are no identifiers
params:
  "a b": 1
  "": 2
  class: 3
  "x\\nimport os": 4
  "\u0430": 5
  "é": 6
  1st: 7
stages:
  a:
    notebook: notebooks/a.ipynb
>>>
pipelines/p.yaml:2:3: 'a b' cannot be the name of a variable
    use the letters a to z, digits and '_', and start with a letter
pipelines/p.yaml:3:3: '' cannot be the name of a variable
    use the letters a to z, digits and '_', and start with a letter
pipelines/p.yaml:4:3: 'class' cannot be the name of a variable
    it is a word of Python's own
pipelines/p.yaml:5:3: 'x\\nimport os' cannot be the name of a variable
    use the letters a to z, digits and '_', and start with a letter
pipelines/p.yaml:6:3: '\u0430' cannot be the name of a variable
    use the letters a to z, digits and '_', and start with a letter
pipelines/p.yaml:7:3: 'é' cannot be the name of a variable
    use the letters a to z, digits and '_', and start with a letter
pipelines/p.yaml:8:3: '1st' cannot be the name of a variable
    use the letters a to z, digits and '_', and start with a letter
=== names of a stage that are no identifiers
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {"n\\nimport os; os.system(1)": 1}
    inputs: {"a b": data/x}
    outputs: {"\\e[31mred": data/y}
>>>
pipelines/p.yaml:4:14: 'n\\nimport os; os.system(1)' cannot be the name of a variable
    use the letters a to z, digits and '_', and start with a letter
pipelines/p.yaml:5:14: 'a b' cannot be the name of a variable
    use the letters a to z, digits and '_', and start with a letter
pipelines/p.yaml:6:15: '\\x1b[31mred' cannot be the name of a variable
    use the letters a to z, digits and '_', and start with a letter
""")

MATRIX = cases("""
=== a matrix without points
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: []}
>>>
pipelines/p.yaml:4:14: the matrix has no points: 'm' is an empty list
    give it at least one value
=== an empty matrix
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {}
>>>
pipelines/p.yaml:4:5: the matrix has no points
    name a list: matrix: {month: [1, 2]}
=== an axis that is no list
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: 3}
>>>
pipelines/p.yaml:4:14: 'm' has to be a list, not 3 (int)
    m: [1, 2]
=== an axis that is text
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: abc}
>>>
pipelines/p.yaml:4:14: 'm' has to be a list, not 'abc' (str)
    m: [1, 2]
=== a matrix that is a list
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: [1, 2]
    params: {n: "${matrix.m}"}
>>>
pipelines/p.yaml:4:5: 'matrix' has to be a mapping, not [1, 2] (list)
=== the same point twice
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: [1, 2, 1, 1]}
>>>
pipelines/p.yaml:4:14: two points of the matrix are called 'a@1'
    give every point a value of its own
=== points whose names look alike
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: [a b, a/b]}
>>>
pipelines/p.yaml:4:14: two points of the matrix are called 'a@a-b'
    in a name, all but ASCII letters, digits and '_.+-' becomes '-'; use values that stay different
=== too many points
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: "${range(200)}", k: "${range(200)}"}
>>>
pipelines/p.yaml:4:5: the matrix makes 40,000 points; the limit is 20,000 in all stages together
    split the pipeline, or let a notebook go over the values itself
=== an axis with a wrong expression
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: "${params.months}"}
    params: {n: "${matrix.m}"}
>>>
pipelines/p.yaml:4:14: unknown name 'params.months'
    the pipeline has no parameters
=== an axis that is no identifier
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {1 2: [1]}
>>>
pipelines/p.yaml:4:14: '1 2' cannot be the name of a variable
    use the letters a to z, digits and '_', and start with a letter
""")

EXPRESSIONS = cases("""
=== an unknown parameter
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${params.seed}'
>>>
pipelines/p.yaml:5:7: unknown name 'params.seed'
    the pipeline has no parameters
=== an unknown root
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${param.seed}'
>>>
pipelines/p.yaml:5:7: unknown name 'param' in '${param.seed}'
    did you mean 'params'?
=== an unknown function
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${open(1)}'
>>>
pipelines/p.yaml:5:7: unknown function 'open' in '${open(1)}'
    known: len, min, max, sum, round, abs, int, float, str, bool, sorted, range
=== an expression that is not closed
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: 'rows ${1 + 2'
>>>
pipelines/p.yaml:5:7: '${1 + 2' has no closing brace
    '$${' stands for a plain '${'
=== an empty expression
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${}'
>>>
pipelines/p.yaml:5:7: the expression '${}' is empty
    write a name in it, such as ${params.NAME}
=== a syntax error in an expression
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${1 +}'
>>>
pipelines/p.yaml:5:7: cannot read the expression '${1 +}': invalid syntax
=== a comprehension
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${[x for x in [1]]}'
>>>
pipelines/p.yaml:5:7: '${[x for x in [1]]}' uses a comprehension, which expressions do not have
=== a lambda
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${lambda: 1}'
>>>
pipelines/p.yaml:5:7: '${lambda: 1}' uses a lambda, which expressions do not have
=== an f-string
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${f"x"}'
>>>
pipelines/p.yaml:5:7: '${f"x"}' uses an f-string, which expressions do not have
=== bytes
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${b"x"}'
>>>
pipelines/p.yaml:5:7: '${b"x"}' uses b'x', which expressions do not have
=== a way to classes
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${().__class__.__bases__}'
>>>
pipelines/p.yaml:5:7: '()' is [] (list) and has no '__class__' in '${().__class__.__bases__}'
=== a division by zero
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${1 / 0}'
>>>
pipelines/p.yaml:5:7: division by zero in '${1 / 0}'
=== a power too large
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${9 ** 9 ** 9}'
>>>
pipelines/p.yaml:5:7: a power is too large in '${9 ** 9 ** 9}'
=== a list too large
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${[range(9999)] * 9999}'
>>>
pipelines/p.yaml:5:7: a value is too large (limit 10,000 items or characters) in '${[range(9999)] * 9999}'
=== a complex number
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${(-8) ** 0.5}'
>>>
pipelines/p.yaml:5:7: a result is not a real number in '${(-8) ** 0.5}'
=== no matrix
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${matrix.month}'
>>>
pipelines/p.yaml:5:7: unknown name 'matrix.month'
    the stage 'a' has no matrix
=== a name of the run
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${run.user}'
>>>
pipelines/p.yaml:5:7: unknown name 'run.user'
    known: id, pipeline, started, failed
=== a secret of the environment
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${env.DB_PASSWORD}'
>>>
pipelines/p.yaml:5:7: 'env.DB_PASSWORD' looks like a secret, and values of a pipeline are kept in its records
    read os.environ['DB_PASSWORD'] in the notebook: stages see the environment
=== a variable that is not set
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${env.STAGEBOOK_NO_SUCH}'
>>>
pipelines/p.yaml:5:7: the environment variable 'STAGEBOOK_NO_SUCH' is not set in '${env.STAGEBOOK_NO_SUCH}'
    set it, or make it a parameter of the pipeline
=== a scrap of itself
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${stages.a.scraps.rows}'
>>>
pipelines/p.yaml:5:7: 'stages.a.scraps.rows' is a scrap of the stage itself
    a stage can use scraps of the stages before it
=== a stage without scraps
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${stages.a}'
>>>
pipelines/p.yaml:5:7: 'stages.a' names no scrap
    write stages.a.scraps.NAME
=== an output as a scrap
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${stages.a.out}'
>>>
pipelines/p.yaml:5:7: 'stages.a.out' names no scrap
    write stages.a.scraps.NAME
=== a scrap of an unknown stage
stages:
  a:
    notebook: notebooks/a.ipynb
    params:
      n: '${stages.b.scraps.rows}'
>>>
pipelines/p.yaml:5:7: unknown name 'stages.b.scraps.rows'
    known: a
=== a scrap in a path
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    outputs: {out: "data/${stages.a.scraps.rows}"}
>>>
pipelines/p.yaml:7:15: 'stages.a.scraps.rows' is not available here
    what is: env, matrix, params
=== a list inside a text
params: {months: [1, 2]}
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: "m-${params.months}"}
>>>
pipelines/p.yaml:5:14: '${params.months}' is [1, 2] (list), which cannot stand inside a text
    let the expression be the whole value, or name one of its items
=== an expression as a notebook
params: {x: a}
stages:
  a: {notebook: "notebooks/${params.x}.ipynb"}
>>>
pipelines/p.yaml:3:7: there is no notebook 'notebooks/${params.x}.ipynb'
    a notebook's path takes no expressions; pass them to it as params
""")

GRAPHS = cases("""
=== a foreach and a matrix
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: [1, 2]}
    foreach: [1, 2]
>>>
pipelines/p.yaml:5:5: a stage has a matrix or a foreach, not both
    remove one of them
=== a foreach that is a number
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: 3
>>>
pipelines/p.yaml:4:5: 'foreach': expected a list, or an expression that gives one, got 3 (int)
=== a foreach that is a mapping
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: {m: [1]}
    params: {n: "${item}"}
>>>
pipelines/p.yaml:4:5: 'foreach': expected a list, or an expression that gives one, got {'m': [1]} (mapping)
=== a foreach that is text
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: north
>>>
pipelines/p.yaml:4:5: 'foreach' has to be a list, not 'north' (str)
    it is a list, or one expression that gives one, such as ${stages.NAME.scraps.KEY}
=== a foreach that is text around an expression
params: {regions: [north, south]}
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: "${params.regions},east"
>>>
pipelines/p.yaml:5:5: 'foreach' has to be a list, not '${params.regions},east' (str)
    it is a list, or one expression that gives one, such as ${stages.NAME.scraps.KEY}
=== a foreach that comes to no list
params: {regions: north}
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: ${params.regions}
    outputs: {out: "data/${item}"}
>>>
pipelines/p.yaml:5:5: 'foreach' has to be a list, not 'north' (str)
    it goes over the items of a list, such as ${stages.NAME.scraps.KEY}
=== a foreach over a scrap of an unknown stage
stages:
  lists: {notebook: notebooks/a.ipynb}
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    outputs: {out: "data/${item}"}
>>>
pipelines/p.yaml:5:5: unknown name 'stages.list.scraps.items'
    did you mean 'lists'?
=== a foreach over a scrap of itself
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.a.scraps.items}
>>>
pipelines/p.yaml:4:5: 'stages.a.scraps.items' is a scrap of the stage itself
    a stage can use scraps of the stages before it
=== a foreach over what is no scrap
stages:
  b: {notebook: notebooks/b.ipynb}
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.b.items}
>>>
pipelines/p.yaml:5:5: 'stages.b.items' names no scrap
    write stages.b.scraps.NAME
=== a foreach over the run
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: ${run.failed}
>>>
pipelines/p.yaml:4:5: 'run.failed' is not available here
    what is: env, params, stages
=== a foreach over its own item
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: ${item}
>>>
pipelines/p.yaml:4:5: 'item' is not available here
    what is: env, params, stages
=== a foreach that makes a cycle
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.b.scraps.items}
    outputs: {out: "data/${item}"}
  b:
    notebook: notebooks/b.ipynb
    after: a
>>>
pipelines/p.yaml:4:5: a cycle: a → b → a (each needs the next)
    remove this, or what another of them needs
=== two foreach that go over each other
stages:
  a: {notebook: notebooks/a.ipynb, foreach: "${stages.b.scraps.items}"}
  b: {notebook: notebooks/b.ipynb, foreach: "${stages.a.scraps.items}"}
>>>
pipelines/p.yaml:2:36: a cycle: a → b → a (each needs the next)
    remove this, or what another of them needs
=== a foreach joined with itself
stages:
  list: {notebook: notebooks/b.ipynb}
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    inputs: {src: "a@${item}.out"}
    outputs: {out: "data/${item}"}
>>>
pipelines/p.yaml:6:14: 'a' needs itself
    remove this
=== items of one name
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: [x, y, x]
>>>
pipelines/p.yaml:4:5: two items are called 'a@x'
    give every item a value of its own
=== items whose names look alike
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: [a b, a/b]
>>>
pipelines/p.yaml:4:5: two items are called 'a@a-b'
    in a name, all but ASCII letters, digits and '_.+-' becomes '-'; use values that stay different
=== too many items
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: "${range(9000)}"
  c:
    notebook: notebooks/a.ipynb
    foreach: "${range(9000)}"
  d:
    notebook: notebooks/a.ipynb
    foreach: "${range(9000)}"
>>>
pipelines/p.yaml:10:5: 'foreach' makes 9,000 stages; the limit is 20,000 in all stages together
    split the pipeline, or let a notebook go over the values itself
=== an item without a foreach
stages:
  a:
    notebook: notebooks/a.ipynb
    params: {n: "${item}"}
    outputs: {out: "data/${item}"}
    when: ${item > 1}
>>>
pipelines/p.yaml:4:14: 'item' is not available here
    the stage 'a' has no foreach
pipelines/p.yaml:5:15: 'item' is not available here
    the stage 'a' has no foreach
pipelines/p.yaml:6:5: 'item' is not available here
    the stage 'a' has no foreach
=== the item of a matrix
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: [1]}
    params: {n: "${item}"}
>>>
pipelines/p.yaml:5:14: 'item' is not available here
    the stage 'a' has no foreach
=== the matrix of a foreach
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: [1, 2]
    params: {n: "${matrix.item}"}
>>>
pipelines/p.yaml:5:14: unknown name 'matrix.item'
    the stage 'a' has no matrix
=== an item in the matrix
stages:
  a:
    notebook: notebooks/a.ipynb
    matrix: {m: "${item}"}
>>>
pipelines/p.yaml:4:14: 'item' is not available here
    what is: env, params
=== outputs that every item would write
stages:
  list: {notebook: notebooks/b.ipynb}
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    outputs: {out: data/items.csv, src: "data/${[1][0]}-item"}
>>>
pipelines/p.yaml:6:15: every item would write the output 'out' to one path
    put the item into the path, such as data/name-${item}.parquet
pipelines/p.yaml:6:36: every item would write the output 'src' to one path
    put the item into the path, such as data/name-${item}.parquet
=== outputs of items that come to one path
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: [1, 2]
    outputs: {out: "data/${item > 0}"}
>>>
pipelines/p.yaml:5:15: 'data/True' is written by both a@1 and a@2
    put the point into the path, such as ${item}
=== an item that is a list in a path
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: [[1, 2], [3]]
    outputs: {out: "data/${item}"}
>>>
pipelines/p.yaml:5:15: '${item}' is [1, 2] (list), which cannot stand inside a text
    let the expression be the whole value, or name one of its items
=== a member that an item does not have
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: [{name: x}, {nmae: y}]
    outputs: {out: "data/${item.name}"}
>>>
pipelines/p.yaml:5:15: unknown name 'name' under 'item' in '${item.name}'
    did you mean 'nmae'?
=== an instance of a foreach that only the run knows
stages:
  list: {notebook: notebooks/b.ipynb}
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    outputs: {out: "data/${item}"}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: a@north.out}
>>>
pipelines/p.yaml:9:14: which instances 'a' has is known only in the run
    refer to all of them: a.out; or give both stages one foreach, and write a@${item}.out
=== an instance of a foreach over another list
stages:
  list: {notebook: notebooks/b.ipynb}
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    outputs: {out: "data/a/${item}"}
  b:
    notebook: notebooks/b.ipynb
    foreach: ${stages.list.scraps.others}
    inputs: {src: "a@${item}.out"}
    outputs: {out: "data/b/${item}"}
>>>
pipelines/p.yaml:10:14: which instances 'a' has is known only in the run
    refer to all of them: a.out; or give both stages one foreach, and write a@${item}.out
=== an instance that a foreach of the file does not have
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: [north, south]
    outputs: {out: "data/${item}"}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: a@nort.out}
>>>
pipelines/p.yaml:8:14: no stage instance 'a@nort'
    did you mean 'a@north'?
=== an unknown output of an instance that is to come
stages:
  list: {notebook: notebooks/b.ipynb}
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    outputs: {out: "data/a/${item}"}
  b:
    notebook: notebooks/b.ipynb
    foreach: ${stages.list.scraps.items}
    inputs: {src: "a@${item}.oot"}
    outputs: {out: "data/b/${item}"}
>>>
pipelines/p.yaml:10:14: 'a' has no output 'oot'
    did you mean 'out'?
=== an unknown stage with an instance that is to come
stages:
  list: {notebook: notebooks/b.ipynb}
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    inputs: {src: "fetch@${item}.out"}
    outputs: {out: "data/a/${item}"}
>>>
pipelines/p.yaml:6:14: unknown reference 'fetch@${item}.out': there is no stage 'fetch'
    known: list, a
=== a list of what is to come for a path
stages:
  list: {notebook: notebooks/b.ipynb}
  a:
    notebook: notebooks/a.ipynb
    foreach: ${stages.list.scraps.items}
    outputs: {out: "data/a/${item}"}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: a.out}
>>>
pipelines/p.yaml:9:14: 'src' does not fit: expected str, got [] (list)
    in the notebook 'src' is declared as str
=== after an instance
stages:
  a:
    notebook: notebooks/a.ipynb
    foreach: [north, south]
    outputs: {out: "data/${item}"}
  b: {notebook: notebooks/b.ipynb, after: [a@north, c@1]}
>>>
pipelines/p.yaml:6:44: 'after' names whole stages, not 'a@north'
    write a: a stage comes after all instances of another
pipelines/p.yaml:6:53: unknown stage 'c@1'
    known: a, b
=== a condition that is no expression
params: {full: true}
stages:
  a:
    notebook: notebooks/a.ipynb
    when: params.full
>>>
pipelines/p.yaml:5:5: 'when' has to be one expression, or true or false
    when: ${params.full}
=== a condition of two expressions
params: {full: true, late: true}
stages:
  a:
    notebook: notebooks/a.ipynb
    when: ${params.full} and ${params.late}
>>>
pipelines/p.yaml:5:5: 'when' has to be one expression, or true or false
    write all of it within one pair of braces: when: ${…}
=== a condition that is empty
stages:
  a:
    notebook: notebooks/a.ipynb
    when: ""
>>>
pipelines/p.yaml:4:5: 'when' has to be one expression, or true or false
    when: ${params.NAME}
=== a condition that is a number
stages:
  a:
    notebook: notebooks/a.ipynb
    when: 3
>>>
pipelines/p.yaml:4:5: 'when': expected an expression, true or false, got 3 (int)
=== a condition on an unknown parameter
stages:
  a:
    notebook: notebooks/a.ipynb
    when: ${params.full}
>>>
pipelines/p.yaml:4:5: unknown name 'params.full'
    the pipeline has no parameters
=== a condition on a scrap of an unknown stage
stages:
  a:
    notebook: notebooks/a.ipynb
    when: ${stages.check.scraps.ok}
>>>
pipelines/p.yaml:4:5: unknown name 'stages.check.scraps.ok'
    known: a
=== a condition that cannot be computed
stages:
  a:
    notebook: notebooks/a.ipynb
    when: ${1 / 0 > 1}
>>>
pipelines/p.yaml:4:5: division by zero in '${1 / 0 > 1}'
=== a condition that makes a cycle
stages:
  a:
    notebook: notebooks/a.ipynb
    when: ${stages.b.scraps.ok}
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
    inputs: {src: a.out}
>>>
pipelines/p.yaml:4:5: a cycle: a → b → a (each needs the next)
    remove this, or what another of them needs
=== an unknown trigger
stages:
  b: {notebook: notebooks/b.ipynb}
  a:
    notebook: notebooks/a.ipynb
    after: b
    trigger: on_failure
>>>
pipelines/p.yaml:6:5: 'trigger' is all_success, all_done, one_failed, all_failed, one_success or none_failed, not 'on_failure' (str)
=== a trigger without a stage before it
stages:
  a:
    notebook: notebooks/a.ipynb
    trigger: one_failed
    inputs: {src: raw/x.csv}
>>>
pipelines/p.yaml:4:5: 'one_failed' is about the stages before 'a', and there are none
    name the stages before it, such as after: [NAME], or leave the trigger out
=== a trigger after what there is not
stages:
  a:
    notebook: notebooks/a.ipynb
    trigger: all_done
    after: [b]
>>>
pipelines/p.yaml:5:13: unknown stage 'b'
    known: a
=== the trigger of a foreach without a stage before it
stages:
  a:
    notebook: notebooks/a.ipynb
    trigger: all_done
    foreach: [1, 2, 3]
>>>
pipelines/p.yaml:4:5: 'all_done' is about the stages before 'a', and there are none
    name the stages before it, such as after: [NAME], or leave the trigger out
=== environment variables with values
defaults: {env: [TZ, "LANG=C"]}
stages:
  a:
    notebook: notebooks/a.ipynb
    env: ["MODE=fast", 1x, ""]
>>>
pipelines/p.yaml:1:22: 'LANG=C' is not the name of an environment variable
    write the name alone, such as TZ; its value is taken from the environment
pipelines/p.yaml:5:11: 'MODE=fast' is not the name of an environment variable
    write the name alone, such as TZ; its value is taken from the environment
pipelines/p.yaml:5:24: '1x' is not the name of an environment variable
    write the name alone, such as TZ; its value is taken from the environment
pipelines/p.yaml:5:28: '' is not the name of an environment variable
    write the name alone, such as TZ; its value is taken from the environment
=== environment variables that are no list
stages:
  a:
    notebook: notebooks/a.ipynb
    env: {TZ: UTC}
>>>
pipelines/p.yaml:4:5: 'env' has to be a list, not {'TZ': 'UTC'} (mapping)
=== an environment variable that is a number
stages:
  a:
    notebook: notebooks/a.ipynb
    env: [TZ, 3]
>>>
pipelines/p.yaml:4:15: 'env[1]' has to be text, not 3 (int)
=== keys that are true or false
defaults: {strict: 1}
stages:
  a:
    notebook: notebooks/a.ipynb
    cache: never
    frozen: "yes"
    strict: 0
>>>
pipelines/p.yaml:1:12: 'strict' has to be true or false, not 1 (int)
pipelines/p.yaml:5:5: 'cache' has to be true or false, not 'never' (str)
pipelines/p.yaml:6:5: 'frozen' has to be true or false, not 'yes' (str)
pipelines/p.yaml:7:5: 'strict' has to be true or false, not 0 (int)
""")

NOTEBOOKS = cases("""
=== a notebook that is missing
stages:
  a: {notebook: notebooks/none.ipynb}
>>>
pipelines/p.yaml:2:7: there is no notebook 'notebooks/none.ipynb'
    paths are relative to the project root
=== a folder
stages:
  a: {notebook: notebooks}
>>>
pipelines/p.yaml:2:7: 'notebooks' is not a notebook
    a notebook ends in .ipynb, .py, .md
=== a folder named like a notebook
stages:
  a: {notebook: notebooks/folder.ipynb}
>>>
pipelines/p.yaml:2:7: there is no notebook 'notebooks/folder.ipynb'
    paths are relative to the project root
=== a notebook that is not JSON
stages:
  a: {notebook: notebooks/text.ipynb}
>>>
pipelines/p.yaml:2:7: 'notebooks/text.ipynb' is not a notebook: Expecting value: line 1 column 1 (char 0)
    open and save it in JupyterLab, or name another file
=== a notebook that is empty
stages:
  a: {notebook: notebooks/nothing.ipynb}
>>>
pipelines/p.yaml:2:7: 'notebooks/nothing.ipynb' is not a notebook: it is empty
    open and save it in JupyterLab, or name another file
=== a notebook that is not UTF-8
stages:
  a: {notebook: notebooks/latin.ipynb}
>>>
pipelines/p.yaml:2:7: 'notebooks/latin.ipynb' is not UTF-8 text
    open and save it in JupyterLab, or name another file
=== JSON that is no notebook
stages:
  a: {notebook: notebooks/list.ipynb}
>>>
pipelines/p.yaml:2:7: 'notebooks/list.ipynb' is not a notebook: it has no list of cells
=== a notebook of nbformat 3
stages:
  a: {notebook: notebooks/old.ipynb}
>>>
pipelines/p.yaml:2:7: 'notebooks/old.ipynb' is not a notebook: it has no list of cells
    notebooks of nbformat 3 and older are upgraded by saving them in JupyterLab
=== a notebook without nbformat
stages:
  a: {notebook: notebooks/none-format.ipynb}
>>>
pipelines/p.yaml:2:7: 'notebooks/none-format.ipynb' is not a notebook of nbformat 4: its 'nbformat' is None
    open and save it in JupyterLab, which upgrades it
=== a parameters cell with a syntax error
stages:
  a: {notebook: notebooks/broken.ipynb}
>>>
pipelines/p.yaml:2:7: 'notebooks/broken.ipynb' has a parameters cell that is not Python: invalid syntax, line 1 of the cell
=== a notebook with an unknown kernel
stages:
  a: {notebook: notebooks/julia.ipynb}
>>>
pipelines/p.yaml:2:7: the kernel 'julia-1.11' is not installed here
    known: python3; 'kernel: python3' in the stage overrides the notebook
=== a file of another kind
stages:
  a: {notebook: raw/x.csv}
>>>
pipelines/p.yaml:2:7: 'raw/x.csv' is not a notebook
    a notebook ends in .ipynb, .py, .md
=== no parameters cell while parameters are passed
stages:
  a:
    notebook: notebooks/plain.ipynb
    params: {n: 1}
    outputs: {out: data/x}
>>>
pipelines/p.yaml:4:5: 'notebooks/plain.ipynb' has no parameters cell, so nothing can be passed to it
    give the cell that sets its defaults the tag 'parameters'
=== an empty parameters cell
stages:
  a:
    notebook: notebooks/hollow.ipynb
    params: {n: 1}
>>>
pipelines/p.yaml:4:14: 'notebooks/hollow.ipynb' declares no parameter 'n'
    the parameters cell is empty
=== an unknown kernel in the stage
stages:
  a:
    notebook: notebooks/a.ipynb
    kernel: nosuch
>>>
pipelines/p.yaml:4:5: the kernel 'nosuch' is not installed here
    known: python3
=== an unknown kernel in defaults
defaults: {kernel: nosuch}
stages:
  a:
    notebook: notebooks/a.ipynb
    outputs: {out: data/a}
  b:
    notebook: notebooks/b.ipynb
>>>
pipelines/p.yaml:1:12: the kernel 'nosuch' is not installed here
    known: python3
""")

MANY_MISTAKES = """
name: "bad name"
params:
  seed: {type: int, default: high}
  class: 1
  months: {type: "list[int]", defualt: [1]}
defaults: {retris: 1, timeout: 1m}
stages:
  extract:
    notebook: notebooks/a.ipynb
    matrix: {month: "${params.months}"}
    params: {m: "${matrix.month}"}
    outputs: {out: ../raw}
    retries: many
    colour: red
  clean:
    notebook: notebooks/none.ipynb
    inputs: {src: extract.out}
    outputs: {out: data/clean}
  train:
    notebook: notebooks/b.ipynb
    inputs: {src: clean.oot}
    params: {n: "${params.sed}"}
    after: [cleen]
    timeout: soon
  report:
    notebook: notebooks/b.ipynb
    params: {n: "${open(1)}", zoom: 2}
    outputs: {out: data/clean/x}
    executor: inprocess
  loop:
    notebook: notebooks/b.ipynb
    after: [loop, around]
  around:
    notebook: notebooks/b.ipynb
    after: [loop]
    retries: 1
    retries: 2
"""
SCREEN_OF_MANY = """
pipelines/p.yaml:1:1: 'bad name' is not a name
    use letters, digits, '_' and '-', and start with a letter
pipelines/p.yaml:3:21: the default of 'seed' does not fit: expected int, got 'high' (str)
pipelines/p.yaml:4:3: 'class' cannot be the name of a variable
    it is a word of Python's own
pipelines/p.yaml:5:31: unknown key 'defualt'
    did you mean 'default'?
pipelines/p.yaml:6:12: unknown key 'retris'
    did you mean 'retries'?
pipelines/p.yaml:11:14: 'notebooks/a.ipynb' declares no parameter 'm'
    known: n, src, out, loose
pipelines/p.yaml:13:5: 'retries' has to be a whole number, not 'many' (str)
pipelines/p.yaml:14:5: unknown key 'colour'
    known: notebook, description, matrix, foreach, when, trigger, params, inputs, outputs, after, retries, retry_delay, …
pipelines/p.yaml:16:5: there is no notebook 'notebooks/none.ipynb'
    paths are relative to the project root
pipelines/p.yaml:21:14: 'clean' has no output 'oot'
    did you mean 'out'?
pipelines/p.yaml:22:14: unknown name 'params.sed'
    did you mean 'seed'?
pipelines/p.yaml:23:13: unknown stage 'cleen'
    did you mean 'clean'?
pipelines/p.yaml:24:5: 'timeout': expected a duration such as 90, 45s, 30m or 1h30m, got 'soon' (str)
pipelines/p.yaml:27:14: unknown function 'open' in '${open(1)}'
    known: len, min, max, sum, round, abs, int, float, str, bool, sorted, range
pipelines/p.yaml:27:31: 'notebooks/b.ipynb' declares no parameter 'zoom'
    known: n, src, out, loose
pipelines/p.yaml:28:15: 'data/clean/x' lies inside 'data/clean', which clean writes as a whole
    give each output a path of its own
pipelines/p.yaml:32:5: a cycle: loop → around → loop (each needs the next)
    remove this, or what another of them needs
pipelines/p.yaml:32:13: 'loop' cannot come after itself
    remove it
pipelines/p.yaml:37:5: duplicate key 'retries'
    it was given in line 36 already; keep one of them
"""


@pytest.mark.parametrize(("text", "screen"), SYNTAX)
def test_what_is_no_plain_yaml_is_refused_at_its_place(
    project: ProjectBuilder, text: str, screen: str
) -> None:
    assert checked(project, text) == screen


@pytest.mark.parametrize(("text", "screen"), KEYS)
def test_the_shape_of_the_file_is_held(project: ProjectBuilder, text: str, screen: str) -> None:
    assert checked(project, text) == screen


@pytest.mark.parametrize(("text", "screen"), RUNNING)
def test_how_a_stage_runs_is_held_to_what_there_is(project: ProjectBuilder, text: str, screen: str) -> None:
    assert checked(project, text) == screen


@pytest.mark.parametrize(("text", "screen"), REFERENCES)
def test_what_a_stage_refers_to_is_there_and_comes_before_it(
    project: ProjectBuilder, text: str, screen: str
) -> None:
    assert checked(project, text) == screen


@pytest.mark.parametrize(("text", "screen"), PATHS)
def test_paths_stay_inside_the_project_and_have_one_writer(
    project: ProjectBuilder, text: str, screen: str
) -> None:
    assert checked(project, text) == screen


@pytest.mark.parametrize(("text", "screen"), VALUES)
def test_parameters_fit_what_the_notebook_declares(project: ProjectBuilder, text: str, screen: str) -> None:
    assert checked(project, text) == screen


@pytest.mark.parametrize(("text", "screen"), MATRIX)
def test_a_matrix_has_points_with_names_of_their_own(project: ProjectBuilder, text: str, screen: str) -> None:
    assert checked(project, text) == screen


@pytest.mark.parametrize(("text", "screen"), EXPRESSIONS)
def test_an_expression_that_cannot_be_read_or_computed_is_told_of(
    project: ProjectBuilder, text: str, screen: str
) -> None:
    assert checked(project, text) == screen


@pytest.mark.parametrize(("text", "screen"), GRAPHS)
def test_what_decides_about_stages_is_told_of_before_anything_starts(
    project: ProjectBuilder, text: str, screen: str
) -> None:
    assert checked(project, text) == screen


@pytest.mark.parametrize(("text", "screen"), NOTEBOOKS)
def test_a_notebook_that_cannot_run_is_told_of_before_anything_starts(
    project: ProjectBuilder, text: str, screen: str
) -> None:
    assert checked(project, text) == screen


def test_many_mistakes_are_told_of_at_once_each_at_its_place_in_the_order_of_the_file(
    project: ProjectBuilder,
) -> None:
    assert checked(project, MANY_MISTAKES.removeprefix("\n")) == SCREEN_OF_MANY.strip("\n")


def test_a_missing_file_names_the_pipelines_that_there_are(project: ProjectBuilder) -> None:
    project.pipeline("stages: {a: {notebook: notebooks/a.ipynb}}", "flights")
    before = tree(project.root)
    with pytest.raises(PipelineNotFound) as caught:
        project.plan(name="flight")
    assert str(caught.value) == "there is no pipeline 'flight'\n    did you mean 'flights'?"
    with pytest.raises(PipelineNotFound, match=r"there is no pipeline 'pipelines/none\.yaml'"):
        project.plan(name="pipelines/none.yaml")
    assert tree(project.root) == before


def test_text_that_is_not_utf_8_is_refused_at_its_first_wrong_byte(project: ProjectBuilder) -> None:
    screen = "pipelines/p.yaml:2:15: not UTF-8 text\n    save the file as UTF-8"
    assert checked(project, "# café\nname: Übe".encode() + "r café".encode("latin-1")) == screen
    assert checked(project, "name: x".encode("utf-16")) == screen.replace(":2:15", ":1:1")


def test_a_byte_order_mark_is_no_mistake(project: ProjectBuilder) -> None:
    project.file("pipelines/p.yaml", b"\xef\xbb\xbfstages: {a: {notebook: notebooks/a.ipynb}}\n")
    assert project.screen() == ""
    assert checked(project, b"\xef\xbb\xbf").startswith("pipelines/p.yaml: the file is empty")


def test_a_file_too_large_is_refused_unread(project: ProjectBuilder) -> None:
    text = "name: " + "x" * MAX_BYTES
    assert checked(project, text) == (
        "pipelines/p.yaml: the file is too large: 1,000,006 bytes, the limit is 1,000,000"
    )


@pytest.mark.parametrize("text", ["[" * 100_000, "- " * 100_000, "? " * 100_000, "{a: " * 10_000])
def test_deep_nesting_is_refused(project: ProjectBuilder, text: str) -> None:
    assert re.fullmatch(r"pipelines/p.yaml:1:\d+: nested more than 40 levels deep", checked(project, text))


def test_aliases_cannot_nest_deeper_than_plain_text(project: ProjectBuilder) -> None:
    text = "a0: &a0 [1]\n" + "".join(f"a{at}: &a{at} [*a{at - 1}]\n" for at in range(1, 2_000))
    assert checked(project, text) == (
        "pipelines/p.yaml:1:10: nested more than 40 levels deep when aliases are followed"
    )


def _bomb(first: str, step: str) -> str:
    """Ten aliases of ten aliases of …: a billion values when they are followed."""
    lines = [f"a: &a {first}"]
    lines += [
        f"{name}: &{name} {step.replace('*', f'*{before}')}"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(_bomb("[1,1,1,1,1,1,1,1,1,1]", "[*,*,*,*,*,*,*,*,*,*]"), id="lists"),
        pytest.param(
            _bomb("{x: 1, y: 1}", "{p: *, q: *, r: *, s: *, t: *, u: *, v: *, w: *}"), id="mappings"
        ),
        pytest.param(
            "a: &a {" + ",".join(f"k{at}: 1" for at in range(5_000)) + "}\nb:\n" + "  - <<: *a\n" * 9_000,
            id="merges",
        ),
    ],
)
def test_an_alias_bomb_is_refused_in_little_time_and_memory(text: str) -> None:
    with at_most(200):
        (problem,) = read_document(text, "p.yaml").problems
    assert problem.message == "the file grows beyond 100,000 values when its aliases are followed"
    tracemalloc.start()
    read_document(text, "p.yaml")
    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()


def test_a_flood_of_values_is_refused_before_it_is_built() -> None:
    with at_most(200):
        (problem,) = read_document("- a\n" * 200_000, "p.yaml").problems
    assert problem.message == "the file holds more than 100,000 values"


def test_a_mistake_that_every_point_of_a_matrix_meets_is_told_of_once(project: ProjectBuilder) -> None:
    text = """
    stages:
      a:
        notebook: notebooks/a.ipynb
        matrix: {m: "${range(500)}"}
        params: {n: "x${matrix.m}"}
        inputs: {src: "data/none-${matrix.m}"}
        outputs: {out: "../${matrix.m}"}
    """
    assert [problem.place for problem in project.problems(text)] == [
        "pipelines/p.yaml:5:14", "pipelines/p.yaml:6:14", "pipelines/p.yaml:7:15",
    ]  # fmt: skip


def test_what_refers_to_something_wrong_is_not_a_further_mistake(project: ProjectBuilder) -> None:
    text = """
    params:
      n: {type: int, default: x}
    stages:
      a:
        notebook: notebooks/a.ipynb
        matrix: {m: "${params.n}"}
        params: {n: "${params.n + matrix.m}"}
        outputs: {out: "data/${params.n}"}
      b:
        notebook: notebooks/b.ipynb
        inputs: {src: a.out}
        params: {loose: "${stages.a.scraps.rows}"}
      c:
        notebook: [notebooks/b.ipynb]
        outputs: {out: data/c}
      d:
        notebook: notebooks/b.ipynb
        inputs: {src: c.out}
    """
    assert [problem.message for problem in project.problems(text, "n=3")] == [
        "the default of 'n' does not fit: expected int, got 'x' (str)",
        "'notebook' has to be text, not ['notebooks/b.ipynb'] (list)",
    ]


def test_a_mistake_in_what_an_alias_brings_is_shown_where_it_stands(project: ProjectBuilder) -> None:
    text = """
    stages:
      a: &base
        notebook: notebooks/a.ipynb
        timeout: soon
      b:
        <<: *base
        notebook: notebooks/none.ipynb
    """
    assert project.screen(text).splitlines()[0].startswith("pipelines/p.yaml:4:5: 'timeout': expected")
    assert [problem.place for problem in project.problems()] == [
        "pipelines/p.yaml:4:5",
        "pipelines/p.yaml:7:5",
    ]


def test_parameters_of_the_command_line_are_held_to_their_types(project: ProjectBuilder) -> None:
    text = """
    params:
      n: {type: int, default: 1, help: how many}
      months: {type: "list[int]", default: [1]}
    stages: {a: {notebook: notebooks/a.ipynb}}
    """
    project.pipeline(text)
    assert [
        (problem.place, problem.message) for problem in project.problems(None, "n=many", "month=3", "n")
    ] == [
        ("-p", "'n' does not fit: expected int, got 'many' (str)"),
        ("-p", "'n' is not of the form name=value"),
        ("-p", "unknown parameter 'month'"),
    ]
    assert project.screen(None, "n=many") == (
        "-p: 'n' does not fit: expected int, got 'many' (str)\n    n: how many"
    )
    assert project.screen(None, "month=3") == "-p: unknown parameter 'month'\n    did you mean 'months'?"
    assert project.screen(None, "months=[1,").startswith("-p: 'months=[1,' cannot be read: YAML syntax:")
    assert project.screen(None, "n\x1b[31m=3") == "-p: unknown parameter 'n\\x1b[31m'\n    known: n, months"


def test_a_params_file_is_read_with_the_same_care(project: ProjectBuilder) -> None:
    project.pipeline("params: {n: 1}\nstages: {a: {notebook: notebooks/a.ipynb}}\n")
    for content, wanted in [
        (
            "n: 1\nn: 2\n",
            "v.yaml:2:1: duplicate key 'n'\n    it was given in line 1 already; keep one of them",
        ),
        ("- 1\n", "v.yaml: a params file is a mapping of name: value"),
        ("n: x\n", "v.yaml:1:1: 'n' does not fit: expected int, got 'x' (str)"),
    ]:
        project.file("v.yaml", content)
        with pytest.raises(PipelineInvalid) as caught:
            project.project.plan("p", Given(files=[Path("v.yaml")]))
        assert "\n".join(str(problem) for problem in caught.value.problems) == wanted


def test_all_frozen_stages_without_outputs_are_told_at_once(project: ProjectBuilder) -> None:
    text = """
    stages:
      one: {notebook: notebooks/a.ipynb, outputs: {out: data/one}, frozen: true}
      many:
        notebook: notebooks/a.ipynb
        matrix: {n: [1, 2]}
        params: {n: "${matrix.n}"}
        outputs: {out: "data/${matrix.n}"}
        frozen: true
    """
    found = [(problem.place, problem.message) for problem in project.problems(text)]
    assert found == [
        ("pipelines/p.yaml:2:64", "one is frozen, and 'data/one' is not there"),
        ("pipelines/p.yaml:8:5", "many@1 is frozen, and 'data/1' is not there"),
        ("pipelines/p.yaml:8:5", "many@2 is frozen, and 'data/2' is not there"),
    ]
