// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

export type Decision = 'RUN' | 'REUSE' | 'WAIT' | 'SKIP';

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
 * A mistake in a file. `line` and `column` count from 1; both are 0 where it
 * concerns all of it.
 */
export interface Problem {
  readonly path: string;
  readonly message: string;
  readonly hint: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Why a request was refused, as the command line says it. `kind` is the name
 * of the error. `fields` has what is wrong with parameters, by their names.
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
 * The projects that were found.
 */
export interface ProjectsReply {
  readonly projects: readonly ProjectInfo[];
}

/**
 * A parameter of a pipeline; `type` as in a Python annotation. A `required`
 * one has no default. `kind` is how it is edited, `choices` between what,
 * `text` the default as `-p` takes it, and an `optional` one may be none.
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
 * A stage as the pipeline file has it, and where.
 */
export interface StageRef {
  readonly name: string;
  readonly notebook: string;
  readonly line: number;
  readonly column: number;
}

/**
 * A pipeline of a project. `key` is what it is asked for by, `name` what its
 * runs are called.
 */
export interface PipelineInfo {
  readonly key: string;
  readonly name: string;
  readonly path: string;
  readonly description: string;
  readonly params: readonly ParamInfo[];
  readonly stages: readonly StageRef[];
  readonly problems: readonly Problem[];
}

/**
 * The pipelines of a project, by name.
 */
export interface PipelinesReply {
  readonly project: ProjectInfo;
  readonly pipelines: readonly PipelineInfo[];
}

/**
 * What a run would do about a stage instance, and why. `stage` is its name
 * without the point; `restores` are the outputs that come out of the store.
 * `inputs` and `outputs` are paths by name.
 */
export interface PlanStage {
  readonly id: string;
  readonly stage: string;
  readonly notebook: string;
  readonly description: string;
  readonly decision: Decision;
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
}

/**
 * What a run would do, in an order in which it can.
 */
export interface PlanReply {
  readonly pipeline: string;
  readonly path: string;
  readonly stages: readonly PlanStage[];
  readonly warnings: readonly Problem[];
}

/**
 * What changed in a cell or a file: lines that begin with `+`, `-` or a space.
 */
export interface Diff {
  readonly title: string;
  readonly lines: readonly string[];
}

/**
 * Everything that is known of the decision about a stage. `last_run` is the
 * run of the result that it came to last; `before` are the stages before it
 * that run or wait, and why.
 */
export interface WhyReply {
  readonly stage: string;
  readonly decision: Decision;
  readonly reasons: readonly string[];
  readonly last_run: string;
  readonly last_at: number | null;
  readonly changes: readonly string[];
  readonly diffs: readonly Diff[];
  readonly before: Readonly<Record<string, string>>;
  readonly unresolved: readonly string[];
}
