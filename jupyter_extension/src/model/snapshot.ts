/** The runs of a project and the last outcome of each stage. A change makes a new snapshot. */

import type { Change, RunInfo, StageInfo } from '../wire';

export interface Snapshot {
  /** The number of the last event in the snapshot; null before the first change. */
  readonly seq: number | null;
  /** The latest runs, the newest first. */
  readonly runs: readonly RunInfo[];
  /** The last outcome of each stage: pipeline → stage → outcome. */
  readonly stages: ReadonlyMap<string, ReadonlyMap<string, StageInfo>>;
  readonly definitions: string;
  /** Of each environment what changes with its journal. */
  readonly elsewhere: Readonly<Record<string, string>>;
}

export const EMPTY_SNAPSHOT: Snapshot = {
  seq: null,
  runs: [],
  stages: new Map(),
  definitions: '',
  elsewhere: {}
};

/** The snapshot after a change. */
export function applyChange(snapshot: Snapshot, change: Change): Snapshot {
  const stages = new Map(change.full ? [] : snapshot.stages);
  const touched = new Map<string, Map<string, StageInfo>>();
  for (const info of change.stages) {
    let group = touched.get(info.pipeline);
    if (group === undefined) {
      group = new Map(stages.get(info.pipeline) ?? []);
      touched.set(info.pipeline, group);
      stages.set(info.pipeline, group);
    }
    group.set(info.id, info);
  }
  for (const [pipeline, ids] of Object.entries(change.shapes)) {
    const known = stages.get(pipeline);
    // In the order of the newest run, without stages that it does not have.
    const kept = ids.flatMap(id => {
      const info = known?.get(id);
      return info === undefined ? [] : [[id, info] as const];
    });
    stages.set(pipeline, new Map(kept));
  }
  const { seq, runs, definitions, elsewhere } = change;
  return { seq, runs, stages, definitions, elsewhere };
}

/** The newest run of a pipeline: no point of a sweep, and no acceptance. */
export function latestRun(snapshot: Snapshot, pipeline: string): RunInfo | undefined {
  return snapshot.runs.find(run => run.pipeline === pipeline && run.parent === '' && run.kind !== 'accept');
}

/** The run of a pipeline that goes on; of a sweep the whole one. */
export function liveRun(snapshot: Snapshot, pipeline: string): RunInfo | undefined {
  const live = snapshot.runs.filter(run => run.pipeline === pipeline && run.ended === null);
  return live.find(run => run.parent === '') ?? live[0];
}

/** Whether a run was asked to stop; of a sweep, one of its points. */
export function isCancelling(snapshot: Snapshot, run: RunInfo): boolean {
  const points = snapshot.runs.filter(one => one.parent === run.id && one.ended === null);
  return [run, ...points].some(one => one.cancelling);
}

/** The runs that ended with a change. Some began with it as well, and points of sweeps are not listed any more then. */
export function endedRuns(before: Snapshot, after: Snapshot): string[] {
  if (before.seq === null) {
    return [];
  }
  const over = new Set(before.runs.filter(run => run.ended !== null).map(run => run.id));
  const live = new Set(after.runs.filter(run => run.ended === null).map(run => run.id));
  const gone = before.runs.filter(run => run.ended === null && !live.has(run.id));
  const short = after.runs.filter(run => run.ended !== null && !over.has(run.id));
  return [...new Set([...gone, ...short].map(run => run.id))];
}
