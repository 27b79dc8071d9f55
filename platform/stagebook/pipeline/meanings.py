"""What each key of a pipeline file means, in a sentence: editors show it. docs/reference/pipeline.md has the rest."""

from __future__ import annotations

from collections.abc import Mapping

# By the class of `schema` that has the key.
MEANINGS: Mapping[str, Mapping[str, str]] = {
    "PipelineFile": {
        "name": "The name of the pipeline, and of its experiment in MLflow; by default the file's name.",
        "description": "One or two sentences about the pipeline.",
        "params": "The parameters of the pipeline: name: default, or name: {type: …, default: …, help: …}.",
        "defaults": "Values of keys for the stages that do not give their own.",
        "schedules": "When the pipeline is run by itself.",
        "stages": "The stages, each with a notebook.",
    },
    "DefaultsFile": {
        "retries": "How often a stage that failed is tried again, 0 to 100.",
        "retry_delay": "The time before the first of these, such as 10s; it doubles each time.",
        "timeout": "The longest that a stage may take, such as 30m.",
        "executor": "How notebooks are executed: kernel, or inprocess, which starts faster.",
        "kernel": "The name of an installed Jupyter kernel; by default the notebook's own.",
        "workdir": "The folder in which cells run: project, notebook (that of the notebook), or a folder of the project.",
        "env": "Environment variables that results depend on: names, or NAME: value, which may hold expressions.",
        "strict": "Whether a stage fails that reads files of the project which it does not declare.",
    },
    "StageFile": {
        "notebook": "The notebook that the stage runs: an .ipynb, or a script .py or .md.",
        "description": "One or two sentences about the stage.",
        "matrix": "One instance of the stage for each combination of these values: name: [value, …].",
        "foreach": "A list, often the scrap of another stage: an instance of the stage for each item.",
        "when": "A condition: the stage runs only where it holds.",
        "trigger": "How the stages before it have to end for it to start.",
        "params": "Values for names of the notebook's parameters cell; ${params.name} is that of the pipeline.",
        "inputs": "What the notebook reads: name: stage.output, or the path of a file of the project; a list passes none of them.",
        "outputs": "What the notebook writes: name: path, or name: {path: …, kind: …}; of a list it writes each at its place.",
        "after": "Stages that have to end well before this one, with no data between them.",
        "retries": "How often the stage is tried again if it fails, 0 to 100.",
        "retry_delay": "The time before the first of these, such as 10s; it doubles each time.",
        "timeout": "The longest that the stage may take, such as 30m.",
        "executor": "How the notebook is executed: kernel, or inprocess, which starts faster.",
        "kernel": "The name of an installed Jupyter kernel; by default the notebook's own.",
        "workdir": "The folder in which its cells run: project, notebook (that of the notebook), or a folder of the project.",
        "env": "Environment variables that the result depends on: names, or NAME: value, which may hold expressions.",
        "connections": "Connections whose secrets the notebook gets.",
        "bookmark": "How far the stage has read, so that it gets only what is new.",
        "cache": "Whether an earlier result may be reused.",
        "frozen": "Whether it never runs: its outputs on disk are its result.",
        "strict": "Whether it fails if it reads files of the project that it does not declare.",
    },
    "OutputFile": {
        "path": "Where the output is published, in the project.",
        "kind": "file; external, which the notebook writes to itself; or delta, a Delta table.",
        "contract": "The file of the contract that must hold of it.",
        "mode": "What becomes of the rows of a Delta table: overwrite, append or merge.",
        "partition_by": "The columns that a Delta table is partitioned by.",
        "key": "The columns that tell rows apart when they are merged.",
        "inject": "Whether a variable of the notebook gets the path; if not, the notebook writes to it itself.",
    },
    "InputFile": {
        "path": "stage.output, a file or folder of the project, a pattern of files, or a list of these.",
        "inject": "Whether a variable of the notebook gets the path.",
    },
    "BookmarkFile": {
        "input": "The input whose files are read once each.",
        "param": "The parameter that gets how far the column was read.",
        "column": "The column that says how far: OUTPUT.COLUMN.",
    },
    "ScheduleFile": {
        "cron": "When it fires, as five fields: minute, hour, day, month, weekday.",
        "zone": "The time zone of these fields, such as Europe/Berlin.",
        "every": "How often it fires, such as 1h.",
        "on": "It fires after these pipelines or datasets are there anew.",
        "files": "It fires when files come that fit this pattern.",
        "interval": "The interval that each run is about.",
        "catch_up": "What becomes of times at which no scheduler ran.",
        "params": "Values for parameters of the pipeline.",
        "env": "The environment that it runs in.",
        "pause": "Whether it does not fire.",
        "expect": "What is expected of its runs.",
    },
    "ExpectFile": {
        "end_by": "The time of day by which a run has ended, such as 7:30.",
        "start_within": "How late a run may start.",
        "duration": "How long a run may take, such as 30m or usual.",
        "fresh": "How old what it publishes may become.",
        "rows": "usual: a number of rows out of the usual is told.",
    },
}
