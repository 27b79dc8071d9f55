/** The stages of a run over time, and its critical path. */

import type { AttemptInfo, StageInfo, StageStatus } from '../wire';

/** An attempt of a stage. */
export interface Segment {
  readonly attempt: number;
  readonly status: StageStatus;
  /** From 0 to 1 of the whole. */
  readonly from: number;
  readonly width: number;
  readonly seconds: number;
}

export interface Bar {
  readonly info: StageInfo;
  /** From 0 to 1 of the whole. */
  readonly from: number;
  readonly width: number;
  readonly seconds: number;
  /** Whether the stage is on the critical path: the run would have been shorter without it. */
  readonly critical: boolean;
  /** Its attempts; between them it waited. */
  readonly segments: readonly Segment[];
}

export interface Gantt {
  readonly bars: readonly Bar[];
  readonly seconds: number;
  /** The stages without a bar: they did not run, or an earlier result was taken. */
  readonly others: readonly StageInfo[];
}

/** The bars of the stages that ran, in the order in which they began. */
export function gantt(
  started: number,
  ended: number,
  stages: readonly StageInfo[],
  upstream: Readonly<Record<string, readonly string[]>>,
  attempts: Readonly<Record<string, readonly AttemptInfo[]>> = {}
): Gantt {
  const ran = stages.filter(info => info.started !== null && info.started >= started - 1);
  const end = (info: StageInfo): number => info.ended ?? ended;
  const whole = Math.max(0.001, ended - started, ...ran.map(info => end(info) - started));
  const critical = path(ran, upstream, end);
  const bars = ran
    .map(info => {
      const begun = info.started ?? started;
      const seconds = Math.max(0, end(info) - begun);
      const from = Math.max(0, (begun - started) / whole);
      const segments = segmentsOf(info, attempts[info.id] ?? [], started, ended, whole);
      return { info, from, width: seconds / whole, seconds, critical: critical.has(info.id), segments };
    })
    .sort((a, b) => a.from - b.from);
  return { bars, seconds: whole, others: stages.filter(info => !ran.includes(info)) };
}

/** The attempts of a stage; the status of the last one is that of the stage, unless it is tried again. */
function segmentsOf(
  info: StageInfo,
  attempts: readonly AttemptInfo[],
  started: number,
  ended: number,
  whole: number
): Segment[] {
  return attempts.map(({ attempt, started: begun, ended: over, cause }, at) => {
    const seconds = Math.max(0, (over ?? ended) - begun);
    const isLast = at === attempts.length - 1 && info.status !== 'retrying';
    const status = isLast ? info.status : cause === '' ? 'completed' : 'failed';
    return { attempt, status, from: Math.max(0, (begun - started) / whole), width: seconds / whole, seconds };
  });
}

const SLOT = 0.5; // seconds between the end of a stage and the start of one that waited for its place

/** The critical path: from the stage that ended last back over what each one waited for, a stage or a place. */
function path(
  ran: readonly StageInfo[],
  upstream: Readonly<Record<string, readonly string[]>>,
  end: (info: StageInfo) => number
): ReadonlySet<string> {
  const known = new Map(ran.map(info => [info.id, info]));
  const start = (info: StageInfo): number => info.started ?? 0;
  const last = (some: readonly StageInfo[]): StageInfo | undefined =>
    some.reduce<StageInfo | undefined>(
      (best, info) => (best === undefined || end(info) > end(best) ? info : best),
      undefined
    );
  const found = new Set<string>();
  let at = last(ran);
  while (at !== undefined && !found.has(at.id)) {
    found.add(at.id);
    const begun = start(at);
    const needed = last((upstream[at.id] ?? []).flatMap(id => known.get(id) ?? []));
    if (needed !== undefined && begun - end(needed) < SLOT) {
      at = needed;
    } else {
      // The stage could have begun earlier: it waited for the place of the one that ended just then.
      const freed = last(ran.filter(info => end(info) <= begun + 0.05 && begun - end(info) < SLOT));
      at = freed ?? needed;
    }
  }
  return found;
}

const STEPS = [
  ...[0.001, 0.01, 0.1].flatMap(power => [power, 2 * power, 5 * power]),
  ...[1, 2, 5, 10, 20, 30], // seconds
  ...[1, 2, 5, 10, 20, 30].map(minutes => 60 * minutes),
  ...[1, 2, 3, 6, 12].map(hours => 3600 * hours)
];
const DAY = 86_400;

/** The marks of an axis of time: round numbers of seconds, minutes or hours from 0 on, at most `most`, and at least the 0. */
export function ticksOf(seconds: number, most: number): number[] {
  const fits = (step: number): boolean => Math.floor(seconds / step) + 1 <= Math.max(1, most);
  const step = STEPS.find(fits) ?? DAY * Math.ceil(seconds / DAY / Math.max(1, most - 1));
  const count = Math.floor(seconds / step) + 1;
  return Array.from({ length: count }, (_, at) => Math.round(at * step * 1000) / 1000);
}
