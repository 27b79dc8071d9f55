/** How a pipeline is, in one line: what runs, or what is most urgent. */

import type { RunInfo } from '../wire';
import { liveRun, type Snapshot } from './snapshot';
import { counts, GLYPHS, type StageView, type State } from './stage-state';

export interface PipelineStatus {
  readonly state: State;
  /** Such as `▶ flights 3/9`, `✗ flights: 1 failed`, `✓ flights`. */
  readonly text: string;
  /** The same without signs, as it is read out. */
  readonly label: string;
  /** The pipeline that runs, or that is open. */
  readonly pipeline: string;
  /** The stage to look at; null where it is none in particular. */
  readonly stage: string | null;
}

const WELL: ReadonlySet<State> = new Set(['completed', 'reused', 'up to date']);
const OPEN: ReadonlySet<string> = new Set(['pending', 'running', 'retrying']);

/** How the open pipeline is; while it does not run and another one does, how that one is. */
export function pipelineStatus(
  snapshot: Snapshot,
  pipeline: string,
  views: readonly StageView[],
  isCancelling = false
): PipelineStatus {
  const live = liveRun(snapshot, pipeline) ?? snapshot.runs.find(run => run.ended === null);
  if (live !== undefined) {
    return whileRunning(snapshot, live, isCancelling);
  }
  const [urgent] = counts(views);
  const [state, count] = urgent ?? (['new', 0] as const);
  const stage = views.find(view => view.state === state)?.id ?? null;
  const isWell = count > 0 && WELL.has(state);
  if (count === 0 || isWell) {
    const label = count === 0 ? `${pipeline}: no stages` : `${pipeline}: all is well`;
    return { state, text: `${GLYPHS[state]} ${pipeline}`, label, pipeline, stage: null };
  }
  const words = `${pipeline}: ${count} ${state}`;
  return { state, text: `${GLYPHS[state]} ${words}`, label: words, pipeline, stage };
}

function whileRunning(snapshot: Snapshot, live: RunInfo, isCancelling: boolean): PipelineStatus {
  const infos = [...(snapshot.stages.get(live.pipeline)?.values() ?? [])];
  const done = infos.filter(info => !OPEN.has(info.status)).length;
  const stage = infos.find(info => info.status === 'running')?.id ?? null;
  const verb = isCancelling ? 'is being cancelled' : 'runs';
  const count = `${done}/${infos.length}`;
  return {
    state: 'running',
    text: `${isCancelling ? GLYPHS.cancelled : GLYPHS.running} ${live.pipeline} ${count}`,
    label: `${live.pipeline} ${verb}: ${done} of ${infos.length} stages done`,
    pipeline: live.pipeline,
    stage
  };
}
