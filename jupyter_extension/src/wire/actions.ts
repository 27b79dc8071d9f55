// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

import type { Problem } from './projects';

/**
 * Starts a run; the fields are the options of `stagebook run`. `params` are
 * values of their types, `texts` are read as `-p` reads them. With `sweep`
 * there is a run for each point. `interval` is what it is about, as
 * `--interval` reads it.
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
  readonly interval?: string;
}

/**
 * Does what is left of a run. `keep`: completed stages stay as they are, even
 * where something changed since. `failed_only`: only what failed and what
 * depends on it, as `stagebook retry`.
 */
export interface ResumeRequest {
  readonly project?: string;
  readonly keep?: boolean;
  readonly failed_only?: boolean;
}

/**
 * A process that was started to run a pipeline. `run` is null until the
 * journal has the run, `exit_code` until the process ends; `message` is the
 * end of its standard error by then.
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
 * Adds a note to a run; the `kind` `acknowledged` acknowledges its failure.
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
 * The run that records the acceptance.
 */
export interface AcceptReply {
  readonly run: string;
  readonly stages: readonly string[];
}

/**
 * Asks for a contract of an output, `stage.output`, drafted from what it
 * holds.
 */
export interface DraftRequest {
  readonly pipeline: string;
  readonly dataset: string;
  readonly project?: string;
}

/**
 * The file of the contract.
 */
export interface DraftReply {
  readonly path: string;
}

/**
 * Asks for MLflow's page of a run, of a stage of it, or of several runs side
 * by side. `attempt` 0 is the latest one.
 */
export interface MlflowRequest {
  readonly project?: string;
  readonly runs?: readonly string[];
  readonly stage?: string;
  readonly attempt?: number;
}

/**
 * The URL of the page; `found` says whether MLflow knows the runs. While its
 * server is `starting` there is no URL: ask again.
 */
export interface MlflowReply {
  readonly url: string;
  readonly found: boolean;
  readonly starting: boolean;
}

/**
 * Asks for the kernel that a failed stage left, or with `end` ends it.
 */
export interface KernelRequest {
  readonly stage: string;
  readonly project?: string;
  readonly end?: boolean;
}

/**
 * The id by which Jupyter Server knows the kernel; empty where it was ended.
 */
export interface KernelReply {
  readonly id: string;
  readonly notebook: string;
}

/**
 * What a stage gets and gives, by the names of its notebook's parameters:
 * `params` as YAML, `inputs` as `stage.output` or paths in the project,
 * `outputs` as paths. `reads` and `writes` are paths that no parameter gets.
 */
export interface StageWiring {
  readonly params: Readonly<Record<string, string>>;
  readonly inputs: Readonly<Record<string, string>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/**
 * Adds a stage to a pipeline file. Where `notebook` is empty, a new one is
 * made. With `preview` it is only said what would be added.
 */
export interface NewStageRequest {
  readonly pipeline: string;
  readonly name: string;
  readonly notebook?: string;
  readonly project?: string;
  readonly wiring?: StageWiring | null;
  readonly preview?: boolean;
}

/**
 * Makes the output `source`, such as `clean.flights`, an input of a stage, as
 * the parameter `name` of its notebook, or `alone`, where no parameter gets
 * it. With `preview` it is only said what would be added.
 */
export interface ConnectRequest {
  readonly pipeline: string;
  readonly source: string;
  readonly stage: string;
  readonly name?: string;
  readonly alone?: boolean;
  readonly project?: string;
  readonly preview?: boolean;
}

/**
 * Where in the pipeline file it is now, the notebook of the stage, and the
 * lines that are new in the file.
 */
export interface NewStageReply {
  readonly path: string;
  readonly line: number;
  readonly notebook: string;
  readonly lines: readonly string[];
}

/**
 * What a new stage can be made of: the outputs of the other ones, the
 * notebooks of the project, the parameters of the chosen notebook, and what
 * these probably get.
 */
export interface StageFormReply {
  readonly offers: readonly string[];
  readonly notebooks: readonly string[];
  readonly parameters: readonly string[];
  readonly wiring: StageWiring;
}

/**
 * Asks what is wrong with the text of a pipeline file, which need not be
 * saved.
 */
export interface CheckRequest {
  readonly path: string;
  readonly text: string;
  readonly project?: string;
}

/**
 * The mistakes in a text, and the names in it that others may refer to:
 * stages, their outputs as `stage.output`, parameters.
 */
export interface CheckReply {
  readonly problems: readonly Problem[];
  readonly stages: readonly string[];
  readonly offers: readonly string[];
  readonly params: readonly string[];
}
