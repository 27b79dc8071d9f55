/** What the browser knows of a project; changes make a new picture. */

import type { Change, RunInfo, StageInfo } from '../wire';

export interface Picture {
  /** The number of the last event in it; null before the first change. */
  readonly seq: number | null;
  /** The latest runs, the newest first. */
  readonly runs: readonly RunInfo[];
  /** What last became of each stage: pipeline → stage → what. */
  readonly stages: ReadonlyMap<string, ReadonlyMap<string, StageInfo>>;
  readonly definitions: string;
}

export const EMPTY: Picture = { seq: null, runs: [], stages: new Map(), definitions: '' };

/** The picture after a change. */
export function apply(picture: Picture, change: Change): Picture {
  const stages = new Map(change.full ? [] : picture.stages);
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
    // In the order of the newest run, and without what is no stage of it.
    const kept = ids.flatMap(id => {
      const info = known?.get(id);
      return info === undefined ? [] : [[id, info] as const];
    });
    stages.set(pipeline, new Map(kept));
  }
  return { seq: change.seq, runs: change.runs, stages, definitions: change.definitions };
}

/** The newest run of a pipeline. */
export function latestRun(picture: Picture, pipeline: string): RunInfo | undefined {
  return picture.runs.find(run => run.pipeline === pipeline);
}

/** The run of a pipeline that goes on. */
export function liveRun(picture: Picture, pipeline: string): RunInfo | undefined {
  return picture.runs.find(run => run.pipeline === pipeline && run.ended === null);
}
