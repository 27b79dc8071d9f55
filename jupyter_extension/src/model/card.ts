/** What stands on the card of a stage in the graph, and in its line of the table. */

import { duration } from './format';
import { type Entry, findingsOf, labelOf, sizeOf, summaryOf } from './grouping';
import { cellOf, progressOf, type StageView, type State } from './stage-state';
import type { StageInfo } from '../wire';

export interface Card {
  readonly name: string;
  readonly state: State;
  /** The state in words: of several stages how many are in it. */
  readonly word: string;
  /** What is to be said of the state: the cell, the reason, what contracts came to. */
  readonly detail: string;
  /** How long it took; while it runs, empty. */
  readonly took: string;
  /** When it began, while it runs; else null. */
  readonly since: number | null;
  /** The seconds that it takes usually; null where that is not known. */
  readonly usual: number | null;
  /** The first metric that it left: `auc 0.93`. */
  readonly metric: string;
  /** How much of it is done, from 0 to 1; null where nothing goes on. */
  readonly part: number | null;
  readonly findings: string;
  /** All of it, as a screen reader says it. */
  readonly label: string;
}

export function cardOf(entry: Entry): Card {
  const view = entry.views[0];
  const base = {
    name: entry.label,
    state: entry.state,
    findings: findingsOf(entry)
  };
  if (entry.folded || view === undefined) {
    return {
      ...base,
      label: labelOf(entry),
      word: summaryOf(entry),
      detail: sizeOf(entry),
      took: '',
      since: null,
      usual: null,
      metric: '',
      part: partOf(entry.views)
    };
  }
  const info = view.info;
  const metric = firstMetric(view);
  const took = tookOf(info);
  return {
    ...base,
    word: view.state,
    detail: [cellOf(view), view.why].filter(Boolean).join(': ') || view.runs,
    took,
    since: goesOn(view) ? (info?.started ?? null) : null,
    usual: info?.expected ?? null,
    metric,
    part: progressOf(view),
    label: labelOf(entry, took, metric)
  };
}

/** How long a stage took, against what is usual: `2.1 s, usually 1.3 s`; empty while it runs. */
export function tookOf(info: StageInfo | null): string {
  const seconds = secondsOf(info);
  if (info === null || seconds === null) {
    return '';
  }
  const took = duration(seconds);
  const usual = info.expected === null ? took : duration(info.expected);
  return usual === took ? took : `${took}, usually ${usual}`;
}

/** How long a stage took, in seconds; null where it did not, or is not at its end. */
export function secondsOf(info: StageInfo | null): number | null {
  return info === null || info.started === null || info.ended === null ? null : info.ended - info.started;
}

/** The first metric of a stage, with its name; empty where there is none. */
export function firstMetric(view: StageView): string {
  const [first] = Object.entries(view.info?.metrics ?? {});
  return first === undefined ? '' : `${first[0]} ${figure(first[1])}`;
}

/** A number with four digits that count, or all of a whole one, in groups of three. */
export function figure(value: unknown): string {
  if (typeof value !== 'number') {
    return String(value);
  }
  const isSmall = value !== 0 && Math.abs(value) < 1e-4;
  if (isSmall || Math.abs(value) >= 1e15) {
    return value.toExponential(2);
  }
  return Number.isInteger(value) || Math.abs(value) >= 1e4
    ? Math.round(value).toLocaleString('en-US')
    : String(Number(value.toPrecision(4)));
}

const OVER: ReadonlySet<State> = new Set(['completed', 'reused', 'up to date', 'failed', 'skipped']);

/** How many of several stages are over while one of them runs. */
function partOf(views: readonly StageView[]): number | null {
  return views.some(goesOn) ? views.filter(view => OVER.has(view.state)).length / views.length : null;
}

function goesOn(view: StageView): boolean {
  return view.state === 'running' || view.state === 'frozen';
}

/** The text of the time of something that runs: `12 s of about 20 s`. */
export function elapsed(seconds: number, usual: number | null): string {
  const text = duration(Math.max(0, seconds));
  return usual === null ? text : `${text} of about ${duration(usual)}`;
}
