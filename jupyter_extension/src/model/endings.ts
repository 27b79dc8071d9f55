/** What is to be told of runs that ended. */

import type { RunInfo, StageInfo } from '../wire';
import { duration, plural } from './format';
import { endedRuns, type Snapshot } from './snapshot';

export interface Ending {
  readonly run: RunInfo;
  /** In seconds. */
  readonly took: number;
  /** The first stage that failed; null where none did. */
  readonly failed: string | null;
  /** Whether all was up to date. */
  readonly didNothing: boolean;
  readonly text: string;
}

/** The runs that ended between two snapshots: no points of sweeps, and none that somebody cancelled. */
export function endings(before: Snapshot, after: Snapshot): Ending[] {
  const ended = new Set(endedRuns(before, after));
  const isTold = (run: RunInfo): boolean =>
    ended.has(run.id) && run.parent === '' && run.status !== 'cancelled' && run.kind !== 'accept';
  return after.runs.filter(isTold).map(run => {
    const took = Math.max(0, (run.ended ?? run.started) - run.started);
    const failed = stagesOf(after, run).filter(stage => stage.status === 'failed');
    const nothing = nothingDone(after, run);
    const did = [`${run.status} in ${duration(took)}`, ...why(run, failed)].join('. ');
    return {
      run,
      took,
      failed: failed[0]?.id ?? null,
      didNothing: nothing !== '',
      text: `${run.pipeline}: ${nothing === '' ? did : nothing}`
    };
  });
}

/** That a run found nothing to do: `nothing to do, all 9 stages are up to date`; empty where it did something. */
export function nothingDone(snapshot: Snapshot, run: RunInfo): string {
  const stages = stagesOf(snapshot, run);
  const reused = stages.filter(stage => stage.status === 'reused').length;
  const isAll = stages.every(stage => stage.status === 'reused' || stage.status === 'skipped');
  if (run.kind !== 'run' || run.status !== 'completed' || reused === 0 || !isAll) {
    return '';
  }
  return `nothing to do, ${reused === 1 ? '1 stage is' : `all ${reused} stages are`} up to date`;
}

function stagesOf(snapshot: Snapshot, run: RunInfo): readonly StageInfo[] {
  const stages = snapshot.stages.get(run.pipeline)?.values() ?? [];
  return [...stages].filter(stage => stage.run === run.id);
}

/** What failed, and the first error. */
function why(run: RunInfo, failed: readonly StageInfo[]): string[] {
  const [first] = failed;
  if (first === undefined) {
    return run.status === 'failed' && run.reason ? [run.reason] : [];
  }
  const others = failed.length > 1 ? ` and ${plural(failed.length - 1, 'other stage')}` : '';
  return [`${first.id}${others} failed${first.message ? `: ${first.message}` : ''}`];
}
