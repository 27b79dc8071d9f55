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
 * of the error.
 */
export interface ErrorReply {
  readonly message: string;
  readonly hint: string;
  readonly kind: string;
  readonly problems: readonly Problem[];
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
 * one has no default.
 */
export interface ParamInfo {
  readonly name: string;
  readonly type: string;
  readonly default: unknown;
  readonly required: boolean;
  readonly help: string;
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
 * without the point.
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
 * A run with its stages. `seq` is the number of its last event.
 */
export interface RunReply {
  readonly run: RunInfo;
  readonly stages: readonly StageInfo[];
  readonly seq: number;
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
 * of their types.
 */
export interface RunRequest {
  readonly pipeline: string;
  readonly project?: string;
  readonly stages?: readonly string[];
  readonly start?: readonly string[];
  readonly only?: readonly string[];
  readonly skip?: readonly string[];
  readonly params?: Readonly<Record<string, unknown>>;
  readonly jobs?: number | null;
  readonly keep_going?: boolean;
  readonly force?: boolean;
  readonly keep_kernel?: boolean;
  readonly debug?: boolean;
}

/**
 * Does what is left of a run. `keep`: also what was finished and would come
 * out otherwise today.
 */
export interface ResumeRequest {
  readonly project?: string;
  readonly keep?: boolean;
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
