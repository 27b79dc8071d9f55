// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

export type EnvironmentAction =
  | 'promote'
  | 'propose'
  | 'approve'
  | 'reject'
  | 'rollback'
  | 'ci';

/**
 * An environment. `version` is the one that readers see, 0 where nothing was
 * published; `release` the code that runs there, empty where that is the
 * working tree; `waiting` how many proposals wait for somebody's word.
 */
export interface EnvironmentInfo {
  readonly name: string;
  readonly parent: string;
  readonly protected: boolean;
  readonly path: string;
  readonly version: number;
  readonly release: string;
  readonly at: number | null;
  readonly waiting: number;
}

/**
 * The environments of a project, by name.
 */
export interface EnvironmentsReply {
  readonly environments: readonly EnvironmentInfo[];
}

/**
 * A version of an environment: what published it, who and why. `shows` is the
 * version that a rollback went back to.
 */
export interface VersionInfo {
  readonly version: number;
  readonly at: number;
  readonly kind: string;
  readonly by: string;
  readonly because: string;
  readonly approved_by: string;
  readonly release: string;
  readonly shows: number;
}

/**
 * A dataset in the version that readers see. `contract`: what the audit came
 * to, empty without one.
 */
export interface PublishedDatasetInfo {
  readonly name: string;
  readonly path: string;
  readonly size: number | null;
  readonly run: string;
  readonly contract: string;
}

/**
 * A deployment that waits for somebody's word.
 */
export interface ProposalInfo {
  readonly number: number;
  readonly release: string;
  readonly kind: string;
  readonly by: string;
  readonly because: string;
  readonly at: number;
}

/**
 * An environment with its versions, the latest first, the datasets that
 * readers see with the models in MLflow that belong to them, by name with
 * their versions, and what waits.
 */
export interface EnvironmentReply {
  readonly environment: EnvironmentInfo;
  readonly params: Readonly<Record<string, unknown>>;
  readonly versions: readonly VersionInfo[];
  readonly datasets: readonly PublishedDatasetInfo[];
  readonly models: Readonly<Record<string, number>>;
  readonly proposals: readonly ProposalInfo[];
}

/**
 * Asks what a deployment to `target` would do: of what stands in `source`, or
 * of a proposal by its `number`.
 */
export interface PreviewRequest {
  readonly target: string;
  readonly project?: string;
  readonly source?: string;
  readonly number?: number;
  readonly allow_dirty?: boolean;
}

/**
 * What a deployment would do, as `lines` of text.
 */
export interface PreviewReply {
  readonly target: string;
  readonly release: string;
  readonly protected: boolean;
  readonly changes_nothing: boolean;
  readonly lines: readonly string[];
}

/**
 * Does something about the environment `target`. `source`: the environment to
 * promote; `number`: a proposal, or the version to go back to, 0 for the one
 * before; `tables`: a rollback puts back tables that runs add to, too. Of `ci`
 * the target is what is compared with.
 */
export interface EnvironmentRequest {
  readonly action: EnvironmentAction;
  readonly target: string;
  readonly project?: string;
  readonly source?: string;
  readonly number?: number;
  readonly because?: string;
  readonly allow_dirty?: boolean;
  readonly tables?: boolean;
}

/**
 * A page that is shown in a frame of its own, without any rights; empty where
 * there is none. `at`: when it was made.
 */
export interface PageReply {
  readonly html: string;
  readonly at: number | null;
}
