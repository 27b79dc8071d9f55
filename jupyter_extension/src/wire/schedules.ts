// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

import type { ProcessReply } from './actions';
import type { Problem } from './projects';

export type ScheduleAction = 'pause' | 'resume' | 'trigger';

/**
 * What a person did about a schedule, and why.
 */
export interface ScheduleWord {
  readonly action: ScheduleAction;
  readonly by: string;
  readonly because: string;
  readonly at: number;
}

/**
 * What came of the latest firing. `outcome` is the status of its run, or
 * `waits` or `skipped` where it has none, and `reason` says why; `interval` is
 * what it is about.
 */
export interface ScheduleOutcome {
  readonly at: number;
  readonly outcome: string;
  readonly run: string;
  readonly interval: string;
  readonly reason: string;
}

/**
 * A schedule. `fires` says when, as the pipeline file does; `zone` is the time
 * zone that it means; `next` is null where nobody can say it; `turned` is the
 * last pause or its end.
 */
export interface ScheduleInfo {
  readonly pipeline: string;
  readonly name: string;
  readonly environment: string;
  readonly fires: string;
  readonly zone: string;
  readonly interval: string;
  readonly paused: boolean;
  readonly next: number | null;
  readonly last: ScheduleOutcome | null;
  readonly turned: ScheduleWord | null;
}

/**
 * A firing to come, and the `interval` that its run will be about.
 */
export interface Firing {
  readonly at: number;
  readonly pipeline: string;
  readonly schedule: string;
  readonly environment: string;
  readonly zone: string;
  readonly interval: string;
}

/**
 * The scheduler that leads: a process on a host, since a time; 0 where that is
 * not known.
 */
export interface LeaderInfo {
  readonly pid: number;
  readonly host: string;
  readonly since: number;
}

/**
 * The schedules of all pipelines and environments, what fires next, and the
 * scheduler that runs them, null where none does. `problems` are mistakes that
 * hold schedules up.
 */
export interface SchedulesReply {
  readonly schedules: readonly ScheduleInfo[];
  readonly next: readonly Firing[];
  readonly leader: LeaderInfo | null;
  readonly problems: readonly Problem[];
}

/**
 * Pauses, resumes or triggers a schedule.
 */
export interface ScheduleRequest {
  readonly action: ScheduleAction;
  readonly pipeline: string;
  readonly schedule: string;
  readonly environment?: string;
  readonly because?: string;
  readonly project?: string;
}

/**
 * What was done: of `trigger` the id of the run to come, and its process where
 * no scheduler leads that starts it.
 */
export interface ScheduleReply {
  readonly run: string;
  readonly process: ProcessReply | null;
}
