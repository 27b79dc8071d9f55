// Generated from stagebook_lab/wire.py by tools/wire.py. Do not edit.

export type StageStatus =
  | 'pending'
  | 'running'
  | 'retrying'
  | 'completed'
  | 'reused'
  | 'failed'
  | 'blocked'
  | 'skipped'
  | 'cancelled'
  | 'interrupted';

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

export type CellChange = 'same' | 'changed' | 'added' | 'removed';

export type NoteKind = 'note' | 'acknowledged';

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
 * A run. `ended` is null while it goes on. `pid` and `host` are of the process
 * that runs it. `kind` is `run`, `sweep` or `accept`; `parent` is the sweep
 * that it is a point of.
 */
export interface RunInfo {
  readonly id: string;
  readonly pipeline: string;
  readonly status: StageStatus;
  readonly reason: string;
  readonly started: number;
  readonly ended: number | null;
  readonly params: Readonly<Record<string, unknown>>;
  readonly user: string;
  readonly host: string;
  readonly pid: number;
  readonly command: string;
  readonly commit: string;
  readonly kind: string;
  readonly parent: string;
}

/**
 * A stage instance of a run, as far as it has come. `cell` of `cells` is the
 * one that runs, or that failed. `has_notebook` says whether there is an
 * executed notebook to look at. `frozen` is for how many seconds its process
 * has been stopped. `of_run` is the run whose result was reused.
 */
export interface StageInfo {
  readonly id: string;
  readonly run: string;
  readonly pipeline: string;
  readonly status: StageStatus;
  readonly decision: string;
  readonly reason: string;
  readonly attempt: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly cell: number;
  readonly cells: number;
  readonly expected: number | null;
  readonly cause: string;
  readonly message: string;
  readonly traceback: string;
  readonly cpu: number;
  readonly memory: number;
  readonly frozen: number;
  readonly has_notebook: boolean;
  readonly kept_kernel: boolean;
  readonly of_run: string;
}

/**
 * What is new since an event, or all that is current if `full`. `seq` is the
 * number of the last event that went into it. For each stage of a pipeline
 * there is what last became of it. `shapes` has, for each pipeline where they
 * changed, the ids of all stages of the newest run in order. `definitions`
 * changes whenever a pipeline file does.
 */
export interface Change {
  readonly seq: number;
  readonly full: boolean;
  readonly runs: readonly RunInfo[];
  readonly stages: readonly StageInfo[];
  readonly shapes: Readonly<Record<string, readonly string[]>>;
  readonly definitions: string;
}

/**
 * Runs, the newest first.
 */
export interface RunsReply {
  readonly runs: readonly RunInfo[];
}

/**
 * What a person said of a run. `at` is when, `by` who.
 */
export interface Note {
  readonly kind: NoteKind;
  readonly text: string;
  readonly by: string;
  readonly at: number;
}

/**
 * A run with its stages. `seq` is the number of its last event. `upstream` has
 * for each stage those before it, `metrics` the numbers that stages left, as
 * `stage.name`; `points` are the runs of a sweep.
 */
export interface RunReply {
  readonly run: RunInfo;
  readonly stages: readonly StageInfo[];
  readonly seq: number;
  readonly upstream: Readonly<Record<string, readonly string[]>>;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly points: readonly RunInfo[];
  readonly notes: readonly Note[];
}

/**
 * A parameter or a metric with its value in each run; null where a run has
 * none.
 */
export interface CompareRow {
  readonly name: string;
  readonly values: readonly unknown[];
  readonly differs: boolean;
}

/**
 * Runs side by side.
 */
export interface CompareReply {
  readonly runs: readonly RunInfo[];
  readonly params: readonly CompareRow[];
  readonly metrics: readonly CompareRow[];
  readonly seconds: readonly CompareRow[];
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

/**
 * A cell as it ran and as it is. `before` and `now` are its numbers among all
 * cells, from 1; null where there is none.
 */
export interface CellDiff {
  readonly change: CellChange;
  readonly kind: string;
  readonly before: number | null;
  readonly now: number | null;
  readonly lines: readonly string[];
}

/**
 * What a stage ran, compared with its notebook as it is now. The paths are
 * those of both files.
 */
export interface ChangesReply {
  readonly run: string;
  readonly attempt: number;
  readonly executed: string;
  readonly notebook: string;
  readonly cells: readonly CellDiff[];
}

/**
 * An event with its number; its fields are documented in
 * docs/reference/events.md.
 */
export interface EventItem {
  readonly seq: number;
  readonly event: Readonly<Record<string, unknown>>;
}

/**
 * The events of a run after a number; `more` says that there are further ones.
 */
export interface EventsReply {
  readonly events: readonly EventItem[];
  readonly more: boolean;
}

/**
 * A piece of what a stage printed: to be shown as text, never as markup.
 * `next` is the position in bytes to go on from; `more` says that there is
 * more already.
 */
export interface LogReply {
  readonly attempt: number;
  readonly text: string;
  readonly next: number;
  readonly more: boolean;
}

/**
 * The executed notebook of an attempt, untrusted. `modified` is when it was
 * last saved.
 */
export interface NotebookReply {
  readonly attempt: number;
  readonly content: unknown;
  readonly modified: number;
}

/**
 * What to run, as the options of `stagebook run` say it. `params` are values
 * of their types, `texts` are read as `-p` reads them. With `sweep` there is a
 * run for each point.
 */
export interface RunRequest {
  readonly pipeline: string;
  readonly project?: string;
  readonly stages?: readonly string[];
  readonly start?: readonly string[];
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  readonly params?: Readonly<Record<string, unknown>>;
  readonly texts?: Readonly<Record<string, string>>;
  readonly sweep?: boolean;
  readonly jobs?: number | null;
  readonly keep_going?: boolean;
  readonly force?: boolean;
  readonly keep_kernel?: boolean;
  readonly debug?: boolean;
}

/**
 * Does what is left of a run. `keep`: also what was finished and would come
 * out otherwise today; `failed_only`: what failed and what depends on it, as
 * `stagebook retry`.
 */
export interface ResumeRequest {
  readonly project?: string;
  readonly keep?: boolean;
  readonly failed_only?: boolean;
}

/**
 * A process that was asked to run a pipeline. `run` is null until the journal
 * has it. One that ended without a run says why in `message`.
 */
export interface ProcessReply {
  readonly pid: number;
  readonly command: string;
  readonly run: string | null;
  readonly exit_code: number | null;
  readonly message: string;
}

/**
 * Asks a run to stop; asked again, it ends at once instead of letting
 * notebooks be saved.
 */
export interface CancelRequest {
  readonly project?: string;
}

/**
 * Which process was told to stop.
 */
export interface CancelReply {
  readonly run: string;
  readonly pid: number;
}

/**
 * Says something of a run.
 */
export interface NoteRequest {
  readonly text: string;
  readonly kind?: string;
  readonly project?: string;
}

/**
 * Declares the outputs of stages good as they are, as `stagebook accept` does.
 */
export interface AcceptRequest {
  readonly pipeline: string;
  readonly stages: readonly string[];
  readonly because: string;
  readonly project?: string;
  readonly texts?: Readonly<Record<string, string>>;
}

/**
 * The run that records the judgement.
 */
export interface AcceptReply {
  readonly run: string;
  readonly stages: readonly string[];
}

/**
 * Asks for MLflow's pages; about one run, or a stage of it, or several runs
 * side by side.
 */
export interface MlflowRequest {
  readonly project?: string;
  readonly runs?: readonly string[];
  readonly stage?: string;
  readonly attempt?: number;
}

/**
 * Where MLflow shows that; `found` says whether it knows the runs.
 */
export interface MlflowReply {
  readonly url: string;
  readonly found: boolean;
}

/**
 * Asks for the kernel that a failed stage left alive.
 */
export interface KernelRequest {
  readonly stage: string;
  readonly project?: string;
  readonly end?: boolean;
}

/**
 * The id under which Jupyter Server knows the kernel; empty where it was
 * ended.
 */
export interface KernelReply {
  readonly id: string;
  readonly notebook: string;
}

/**
 * Adds a stage to a pipeline file. An empty `notebook` makes one from a
 * template.
 */
export interface NewStageRequest {
  readonly pipeline: string;
  readonly name: string;
  readonly notebook?: string;
  readonly project?: string;
}

/**
 * Where the stage is now, and its notebook.
 */
export interface NewStageReply {
  readonly path: string;
  readonly line: number;
  readonly notebook: string;
}
