// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

export type Decision = 'RUN' | 'REUSE' | 'AUDIT' | 'WAIT' | 'SKIP';

export type NextRun =
  | 'new'
  | 'stale'
  | 'would run'
  | 'audits again'
  | 'waits'
  | 'restores'
  | 'up to date'
  | 'skipped';

export type ParamKind =
  | 'bool'
  | 'int'
  | 'float'
  | 'text'
  | 'date'
  | 'datetime'
  | 'choice'
  | 'yaml';

/**
 * A mistake in a file. `line` and `column` count from 1; 0 is the file as a
 * whole.
 */
export interface Problem {
  readonly path: string;
  readonly message: string;
  readonly hint: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Why a request was refused, in the words of the command line. `kind` is the
 * class of the error, `fields` has the mistakes in parameters, by their names,
 * or in other fields of a form; that of the interval is called `--interval`.
 */
export interface ErrorReply {
  readonly message: string;
  readonly hint: string;
  readonly kind: string;
  readonly problems: readonly Problem[];
  readonly fields: Readonly<Record<string, string>>;
}

/**
 * A project below the server's root. The `path` of the root itself is empty.
 */
export interface ProjectInfo {
  readonly path: string;
  readonly name: string;
}

/**
 * The projects that were found. `more` says that there are others, which are
 * not among them.
 */
export interface ProjectsReply {
  readonly projects: readonly ProjectInfo[];
  readonly more: boolean;
}

/**
 * A parameter of a pipeline. `type` is a Python annotation, `kind` the field
 * that edits it, `choices` the values that it allows, `text` the default as
 * `-p` takes it. A `required` parameter has no default, an `optional` one
 * allows null.
 */
export interface ParamInfo {
  readonly name: string;
  readonly type: string;
  readonly default: unknown;
  readonly required: boolean;
  readonly help: string;
  readonly kind: ParamKind;
  readonly choices: readonly string[];
  readonly optional: boolean;
  readonly text: string;
}

/**
 * A stage of a pipeline file, and its place there. `program` and `target` as
 * of `PlanStage`.
 */
export interface StageRef {
  readonly name: string;
  readonly notebook: string;
  readonly line: number;
  readonly column: number;
  readonly program: string;
  readonly target: string;
}

/**
 * A pipeline of a project. Requests name it by its `key`; its runs have its
 * `name`. `takes_interval`: it mentions the interval that a run is about.
 */
export interface PipelineInfo {
  readonly key: string;
  readonly name: string;
  readonly path: string;
  readonly description: string;
  readonly params: readonly ParamInfo[];
  readonly stages: readonly StageRef[];
  readonly problems: readonly Problem[];
  readonly takes_interval: boolean;
}

/**
 * The pipelines of a project, by name.
 */
export interface PipelinesReply {
  readonly project: ProjectInfo;
  readonly pipelines: readonly PipelineInfo[];
}

/**
 * The decision about a stage instance, what the next run would do with it in a
 * word, and the reasons. `stage` is its name without the point of the matrix,
 * `restores` are the outputs that would come out of the store, and `on_disk`
 * says what lies in their place; `inputs` and `outputs` are paths by name;
 * `contracts` the files of the contracts that outputs have. `notebook` is the
 * file that it runs; where that is no notebook, `program` says what it is
 * (script, function, sql, command), and `target` which one.
 */
export interface PlanStage {
  readonly id: string;
  readonly stage: string;
  readonly notebook: string;
  readonly description: string;
  readonly decision: Decision;
  readonly next_run: NextRun;
  readonly reasons: readonly string[];
  readonly upstream: readonly string[];
  readonly point: Readonly<Record<string, unknown>>;
  readonly params: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly restores: readonly string[];
  readonly when: string;
  readonly foreach: string;
  readonly trigger: string;
  readonly on_disk: string;
  readonly program: string;
  readonly target: string;
  readonly contracts: Readonly<Record<string, string>>;
}

/**
 * How much a run or a sweep would do: at how many `points`, how many `stages`,
 * of which `waiting` may come to nothing, and about how many `seconds` by what
 * stages took before. Of `unknown` stages that is not known, and of none it is
 * null. `restores`: outputs of earlier runs would be put back.
 */
export interface Workload {
  readonly points: number;
  readonly stages: number;
  readonly waiting: number;
  readonly unknown: number;
  readonly seconds: number | null;
  readonly restores: boolean;
}

/**
 * What a run would do, each stage after those that it depends on. `interval`:
 * what it would be about; empty where that is nothing. `workload` is told
 * where it was asked for.
 */
export interface PlanReply {
  readonly pipeline: string;
  readonly path: string;
  readonly stages: readonly PlanStage[];
  readonly warnings: readonly Problem[];
  readonly interval: string;
  readonly workload: Workload | null;
}

/**
 * A change of a cell or a file, as lines that begin with `+`, `-` or a space.
 */
export interface Diff {
  readonly title: string;
  readonly lines: readonly string[];
}

/**
 * The decision about a stage, as `PlanStage` has it, and everything that it
 * rests on. `last_run` is the run of its latest result. `before` has the
 * stages before it that would run or wait, with the decision and its reason;
 * `unresolved` the imports and files that could not be followed.
 */
export interface WhyReply {
  readonly stage: string;
  readonly decision: Decision;
  readonly next_run: NextRun;
  readonly reasons: readonly string[];
  readonly last_run: string;
  readonly last_at: number | null;
  readonly changes: readonly string[];
  readonly diffs: readonly Diff[];
  readonly before: Readonly<Record<string, string>>;
  readonly unresolved: readonly string[];
}
