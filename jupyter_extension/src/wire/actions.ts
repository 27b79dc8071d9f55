// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

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
