// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

import type { AttemptInfo, Note, StageInfo, StageStatus } from './runs';

export type Period = 'day' | 'month';

export type IntervalState = 'done' | 'failed' | 'running' | 'missing';

/**
 * A run. `interval` is what it is about, and `schedule` what started it, empty
 * without any; `parent` the backfill that it is of. `stages` has the status of
 * each stage instance by its id, `noted` those that somebody noted something
 * on, with an empty id for the run as a whole.
 */
export interface GridRun {
  readonly id: string;
  readonly status: StageStatus;
  readonly started: number;
  readonly ended: number | null;
  readonly interval: string;
  readonly schedule: string;
  readonly parent: string;
  readonly stages: Readonly<Record<string, StageStatus>>;
  readonly noted: readonly string[];
}

/**
 * The latest runs of a pipeline in an environment, the oldest first, and the
 * ids of all their stage instances in the order of the newest run. `older`
 * says how many more there are, `zone` in which time zone times are told.
 */
export interface GridReply {
  readonly pipeline: string;
  readonly environment: string;
  readonly environments: readonly string[];
  readonly runs: readonly GridRun[];
  readonly stages: readonly string[];
  readonly older: number;
  readonly zone: string;
}

/**
 * An interval of the pipeline's schedule: `done` where a run of it completed,
 * else as the last run of it ended, `missing` where there was none.
 */
export interface CalendarInterval {
  readonly name: string;
  readonly state: IntervalState;
}

/**
 * A day or a month, `2026-01-05` or `2026-01`, from `start` to `end`: how many
 * runs that began in it have which status; and the schedule's intervals that
 * begin in it: all by their state, and those by name that are not done.
 */
export interface CalendarPlace {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly runs: Readonly<Record<string, number>>;
  readonly intervals: Readonly<Record<string, number>>;
  readonly lacking: readonly CalendarInterval[];
}

/**
 * Days or months in their order, in the time `zone` of the pipeline's
 * `schedule`, or in UTC without any. What is expected begins with the first
 * interval that has a run. Of `too_many` intervals none is told.
 */
export interface CalendarReply {
  readonly period: Period;
  readonly zone: string;
  readonly schedule: string;
  readonly too_many: boolean;
  readonly places: readonly CalendarPlace[];
}

/**
 * A stage instance of a run, with the notes on it and on the run; null where
 * the run has no such stage.
 */
export interface StageOfRunReply {
  readonly run: GridRun;
  readonly stage: StageInfo | null;
  readonly notes: readonly Note[];
}

/**
 * A run with its stages over time: `upstream` has the stages before each one,
 * `attempts` the attempts of each that began.
 */
export interface TimesReply {
  readonly run: GridRun;
  readonly stages: readonly StageInfo[];
  readonly upstream: Readonly<Record<string, readonly string[]>>;
  readonly attempts: Readonly<Record<string, readonly AttemptInfo[]>>;
}
