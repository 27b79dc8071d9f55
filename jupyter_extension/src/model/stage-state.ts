/** The state of a stage: from its last outcome, and from what a run would do. */

import type { NextRun, PipelineInfo, PlanStage, StageInfo, StageRef } from '../wire';
import { ago, duration } from './format';
import { type Snapshot } from './snapshot';

export type State =
  | 'failed'
  | 'frozen'
  | 'running'
  | 'retrying'
  | 'interrupted'
  | 'cancelled'
  | 'blocked'
  | 'pending'
  | 'waits'
  | 'stale'
  | 'would run'
  | 'audits again'
  | 'restores'
  | 'new'
  | 'skipped'
  | 'completed'
  | 'reused'
  | 'up to date';

/** From the most urgent to the least: a folded group is in the first state of its instances. */
export const STATES: readonly State[] = [
  'failed',
  'frozen',
  'running',
  'retrying',
  'interrupted',
  'cancelled',
  'blocked',
  'pending',
  'stale',
  'would run',
  'audits again',
  'restores',
  'new',
  'waits',
  'skipped',
  'completed',
  'reused',
  'up to date'
];

/** A sign for each state: colour alone tells none of them. */
export const GLYPHS: Readonly<Record<State, string>> = {
  failed: '✗',
  frozen: '❄',
  running: '▶',
  retrying: '↻',
  interrupted: '!',
  cancelled: '■',
  blocked: '⊘',
  pending: '…',
  waits: '◷',
  stale: '△',
  'would run': '▷',
  'audits again': '◇',
  restores: '↧',
  new: '○',
  skipped: '–',
  completed: '✓',
  reused: '↺',
  'up to date': '✓'
};

/** A stage as it is shown. */
export interface StageView {
  readonly id: string;
  /** Its name without the point of the matrix. */
  readonly stage: string;
  /** The path of the notebook; empty where the pipeline file has the stage no more. */
  readonly notebook: string;
  /** What it runs that is no notebook: `script`, `function`, `sql` or `command`; else empty. */
  readonly program: string;
  /** That, and which one, as people read it: `SQL queries/daily.sql`; else empty. */
  readonly runs: string;
  readonly description: string;
  readonly upstream: readonly string[];
  readonly state: State;
  /** The reason of the state in a few words; may be empty. */
  readonly why: string;
  /** What the next run would do, where the last one came to no good end; else empty. */
  readonly next: string;
  readonly reasons: readonly string[];
  /** What its contracts came to where not all hold, in a few words: `1 warning`. */
  readonly findings: string;
  readonly info: StageInfo | null;
}

/** What the pipeline file says, which is known before there is a plan. */
export type Defined = Pick<PipelineInfo, 'name' | 'stages'>;

/**
 * The stages of a pipeline in the order of the plan, or of the last run where there is no plan.
 *
 * `unplanned` are runs that ended after the plan was made: for their stages the outcome counts, not the plan.
 */
export function stageViews(
  snapshot: Snapshot,
  pipeline: Defined,
  plan: readonly PlanStage[] | null,
  unplanned: ReadonlySet<string> = new Set()
): StageView[] {
  const infos = snapshot.stages.get(pipeline.name) ?? new Map<string, StageInfo>();
  const going = snapshot.runs.filter(run => run.ended === null).map(run => run.id);
  const live = new Set([...going, ...unplanned]);
  const defined = new Map(pipeline.stages.map(stage => [stage.name, stage]));
  const views: StageView[] = [];
  const seen = new Set<string>();
  const isLive = [...infos.values()].some(info => live.has(info.run));
  for (const planned of plan ?? []) {
    seen.add(planned.id);
    const expanded = isLive && !infos.has(planned.id) ? instancesOf(planned.id, infos) : [];
    for (const info of expanded) {
      seen.add(info.id);
      views.push({ ...stageView(planned, info, live), id: info.id });
    }
    if (expanded.length === 0) {
      views.push(stageView(planned, infos.get(planned.id) ?? null, live));
    }
  }
  for (const info of infos.values()) {
    if (!seen.has(info.id) && (plan === null || live.has(info.run))) {
      views.push({ ...stageView(null, info, live), ...definedAs(defined.get(nameOf(info.id))) });
    }
  }
  return views;
}

/** The instances that a stage was expanded to while the run goes on. */
function instancesOf(stage: string, infos: ReadonlyMap<string, StageInfo>): StageInfo[] {
  return [...infos.values()].filter(info => nameOf(info.id) === stage && info.id !== stage);
}

function stageView(planned: PlanStage | null, info: StageInfo | null, live: ReadonlySet<string>): StageView {
  const state = stateOf(planned, info, info !== null && live.has(info.run));
  const id = planned?.id ?? info?.id ?? '';
  return {
    id,
    stage: planned?.stage ?? nameOf(id),
    ...definedAs(planned),
    description: planned?.description ?? '',
    upstream: planned?.upstream ?? [],
    state,
    why: why(state, planned, info),
    next: next(state, planned),
    reasons: planned === null ? [] : because(planned),
    findings: info?.findings ?? '',
    info
  };
}

const PROGRAMS: Readonly<Record<string, string>> = {
  script: 'script',
  function: 'function',
  sql: 'SQL',
  command: 'command'
};

/** What a stage runs. */
function definedAs(
  stage: Pick<StageRef, 'notebook' | 'program' | 'target'> | null | undefined
): Pick<StageView, 'notebook' | 'program' | 'runs'> {
  const program = stage?.program ?? '';
  const runs = program === '' ? '' : `${PROGRAMS[program] ?? program} ${stage?.target ?? ''}`;
  return { notebook: stage?.notebook ?? '', program, runs };
}

/** The reasons, without those that say nothing. */
function because(planned: PlanStage): readonly string[] {
  return planned.reasons.filter(reason => reason !== 'selected');
}

function nameOf(id: string): string {
  return id.split('@')[0] ?? id;
}

/**
 * The state. While a run goes on its outcome counts. Afterwards the decision of the plan counts as well, unless the
 * last outcome is no good one: a run with other parameters may have failed where the next one has nothing to do.
 */
export function stateOf(planned: PlanStage | null, info: StageInfo | null, isLive: boolean): State {
  if (info !== null && isLive) {
    return whileRunning(info);
  }
  switch (info?.status) {
    case 'failed':
    case 'cancelled':
    case 'interrupted':
    case 'blocked':
      return info.status;
  }
  if (planned !== null) {
    return planned.next_run;
  }
  return info?.status === 'completed' || info?.status === 'reused' || info?.status === 'skipped'
    ? info.status
    : 'new';
}

function whileRunning(info: StageInfo): State {
  switch (info.status) {
    case 'pending':
      return info.decision === 'WAIT' ? 'waits' : 'pending';
    case 'running':
      return info.frozen > 0 ? 'frozen' : 'running';
    default:
      return info.status;
  }
}

function why(state: State, planned: PlanStage | null, info: StageInfo | null): string {
  const reason = planned === null ? '' : (because(planned)[0] ?? '');
  switch (state) {
    case 'failed':
    case 'interrupted':
    case 'cancelled':
      return [info?.message, info?.reason].find(text => text) ?? '';
    case 'blocked':
      return info?.reason ?? '';
    case 'skipped':
      return (info?.status === 'skipped' ? info.reason : '') || reason;
    case 'restores':
      return planned?.on_disk || reason;
    case 'stale':
    case 'would run':
    case 'audits again':
    case 'waits':
    case 'new':
      return reason;
    case 'reused':
      return info?.of_run ? `from ${info.of_run}` : '';
    default:
      return '';
  }
}

const NO_GOOD_END: ReadonlySet<State> = new Set(['failed', 'interrupted', 'cancelled', 'blocked']);

function next(state: State, planned: PlanStage | null): string {
  if (planned === null || !NO_GOOD_END.has(state)) {
    return '';
  }
  const reason = planned.decision === 'REUSE' ? 'it has a result for these parameters' : because(planned)[0];
  return reason === undefined ? planned.next_run : `${planned.next_run}: ${reason}`;
}

/**
 * How the stage ended when it was last executed, and when and how long: `completed 5 min ago, 1.1 s`. A reuse is no outcome: its
 * times are those of what it took. Empty where it never ran, or runs.
 */
export function lastOutcome({ info }: StageView, now: number): string {
  if (info === null || ['pending', 'running', 'retrying'].includes(info.status)) {
    return '';
  }
  const word = info.status === 'reused' ? 'completed' : info.status;
  if (info.ended === null) {
    return word; // it never began
  }
  const took = info.started === null ? '' : `, ${duration(info.ended - info.started)}`;
  return `${word} ${ago(info.ended, now)}${took}`;
}

/** The same beside the word for the state, which is not said twice. */
export function outcomeBeside(view: StageView, now: number): string {
  const text = lastOutcome(view, now);
  return text.startsWith(view.state) ? text.slice(view.state.length).trimStart() : text;
}

/** What a run would do with the stages of a plan, counted: `2 would run, 3 up to date, 1 waits`. */
export function plannedCounts(stages: readonly Pick<PlanStage, 'next_run'>[]): string {
  return COUNTED.flatMap(({ words, one, many }) => {
    const count = stages.filter(stage => words.includes(stage.next_run)).length;
    return count > 0 ? [`${count} ${count === 1 ? one : many}`] : [];
  }).join(', ');
}

const COUNTED: readonly { words: readonly NextRun[]; one: string; many: string }[] = [
  { words: ['new', 'stale', 'would run'], one: 'would run', many: 'would run' },
  { words: ['audits again'], one: 'audits again', many: 'audit again' },
  { words: ['waits'], one: 'waits', many: 'wait' },
  { words: ['restores'], one: 'restores', many: 'restore' },
  { words: ['up to date'], one: 'up to date', many: 'up to date' },
  { words: ['skipped'], one: 'skipped', many: 'skipped' }
];

/** The cell that runs or failed: `cell 12 of 40`; empty in other states. */
export function cellOf(view: StageView): string {
  const info = view.info;
  if (info === null || info.cell === 0 || info.cells === 0 || view.program !== '') {
    return '';
  }
  switch (view.state) {
    case 'running':
    case 'frozen':
      return `cell ${info.cell} of ${info.cells}`;
    case 'failed':
    case 'cancelled':
    case 'interrupted':
      return `at cell ${info.cell} of ${info.cells}`;
    default:
      return '';
  }
}

/** How far a running stage has come, from 0 to 1; null in other states. */
export function progressOf(view: StageView): number | null {
  const info = view.info;
  if (info === null || info.cells === 0 || (view.state !== 'running' && view.state !== 'frozen')) {
    return null;
  }
  return Math.max(0, info.cell - 1) / info.cells;
}

/** How many stages are in each state, in the order of `STATES`. */
export function counts(views: readonly StageView[]): [State, number][] {
  const found = new Map<State, number>();
  for (const view of views) {
    found.set(view.state, (found.get(view.state) ?? 0) + 1);
  }
  return STATES.filter(state => found.has(state)).map(state => [state, found.get(state) ?? 0]);
}
