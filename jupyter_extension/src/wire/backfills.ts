// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

import type { StageStatus } from './runs';

export type BackfillState = 'missing' | 'failed' | 'changed';

export type BackfillAction = 'cancel' | 'resume' | 'retry';

/**
 * Plans or starts a backfill; the fields are the options of `stagebook
 * backfill`. `which`: the states of intervals that are run, all of them by
 * default; `texts` are parameters as `-p` reads them.
 */
export interface BackfillRequest {
  readonly pipeline: string;
  readonly start: string;
  readonly end: string;
  readonly every?: string;
  readonly environment?: string;
  readonly project?: string;
  readonly stages?: readonly string[];
  readonly which?: readonly BackfillState[];
  readonly newest_first?: boolean;
  readonly parallel?: number;
  readonly texts?: Readonly<Record<string, string>>;
}

/**
 * Intervals beside each other that are alike, as the table of `stagebook
 * backfill` has them. `is_chosen`: they run.
 */
export interface BackfillRow {
  readonly intervals: string;
  readonly number: number;
  readonly state: string;
  readonly stages: string;
  readonly time: string;
  readonly why: string;
  readonly is_chosen: boolean;
}

/**
 * What a backfill would do: `rows`, at most so many of them that `more` says
 * how many are not told, and the sentences below them; `count` intervals would
 * be run. `command` does the same in a terminal.
 */
export interface BackfillPlanReply {
  readonly rows: readonly BackfillRow[];
  readonly more: number;
  readonly lines: readonly string[];
  readonly count: number;
  readonly command: string;
}

/**
 * The run of an interval in a backfill.
 */
export interface BackfillRun {
  readonly id: string;
  readonly interval: string;
  readonly status: StageStatus;
}

/**
 * How far a backfill is. Of `total` intervals `done` completed, `failed` did
 * not, `current` go on, `without` had no run, since nothing was to be done or
 * they could not be planned, and `left` have not had their turn. `runs` are
 * those that failed or go on.
 */
export interface BackfillInfo {
  readonly id: string;
  readonly status: StageStatus;
  readonly reason: string;
  readonly started: number;
  readonly ended: number | null;
  readonly by: string;
  readonly first: string;
  readonly last: string;
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  readonly without: number;
  readonly left: number;
  readonly current: readonly string[];
  readonly runs: readonly BackfillRun[];
}

/**
 * The latest backfills of a pipeline in an environment, the newest first.
 * `every` is what an interval is by its schedule, empty where that does not
 * say; `units` are those that can be asked for.
 */
export interface BackfillsReply {
  readonly backfills: readonly BackfillInfo[];
  readonly every: string;
  readonly units: readonly string[];
}

/**
 * Cancels a backfill, or goes on with what is left of it, or with what failed.
 */
export interface BackfillActionRequest {
  readonly action: BackfillAction;
  readonly environment?: string;
  readonly project?: string;
}
