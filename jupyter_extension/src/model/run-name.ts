/** The name and the time of a run, the same in every view. */

import { ago } from './format';
import { moment } from './moments';

// Those that a scheduler gives are longer at their end.
const SHORT = /-([0-9a-f]{4}|[0-9a-f]{8})$/;

/** The end of an id that names its run in a terminal as well: `fab3` of `20261130-205837-fab3`. */
export function shortId(run: string): string {
  return SHORT.exec(run)?.[1] ?? run;
}

/** A run with its time: `fab3 · 15 min ago`. */
export function runLabel(run: { readonly id: string; readonly started: number }, now: number): string {
  return `${shortId(run.id)} · ${ago(run.started, now)}`;
}

/** The whole id, and the time in the time zone of the browser. */
export function runTitle(run: { readonly id: string; readonly started: number }): string {
  return `${run.id}\n${moment(run.started)}`;
}
