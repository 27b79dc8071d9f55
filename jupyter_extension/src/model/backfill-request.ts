/** The backfill that the form describes. */

import type { BackfillRequest, BackfillState } from '../wire';

/** What the form holds, but for where. */
export interface BackfillDraft {
  readonly start: string;
  readonly end: string;
  /** What an interval is; empty for what the schedule says. */
  readonly every: string;
  /** The stages; none for all. */
  readonly stages: readonly string[];
  readonly which: readonly BackfillState[];
  readonly newestFirst: boolean;
  readonly parallel: string;
}

export const WHICH: readonly BackfillState[] = ['missing', 'failed', 'changed'];

/** All stages of what lacks something. */
export const EMPTY_BACKFILL: BackfillDraft = {
  start: '',
  end: '',
  every: '',
  stages: [],
  which: WHICH,
  newestFirst: false,
  parallel: '1'
};

/** Which pipeline is filled, by its key, and where. */
export interface BackfillTarget {
  readonly project: string;
  readonly pipeline: string;
  readonly environment: string;
}

/** The request in the terms of the server. A number that is none is sent as 0, which the server refuses at its field. */
export function requestOf(draft: BackfillDraft, target: BackfillTarget): BackfillRequest {
  const parallel = /^\s*\d{1,4}\s*$/.test(draft.parallel) ? Number(draft.parallel) : 0;
  return {
    ...target,
    start: draft.start.trim(),
    end: draft.end.trim(),
    every: draft.every,
    stages: draft.stages,
    which: draft.which.length === WHICH.length ? [] : draft.which,
    newest_first: draft.newestFirst,
    parallel
  };
}
