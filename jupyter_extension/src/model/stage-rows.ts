/** The stages of a pipeline as rows of a table, and their order. */

import { firstMetric, secondsOf, tookOf } from './card';
import { STATES, type StageView, type State } from './stage-state';

export interface StageRow {
  readonly id: string;
  /** What it runs that is no notebook; else empty. */
  readonly runs: string;
  readonly state: State;
  readonly why: string;
  /** When it ended, or else began, in seconds since the epoch; null where it never did. */
  readonly when: number | null;
  readonly took: string;
  readonly seconds: number | null;
  readonly metric: string;
}

export type Column = 'id' | 'state' | 'when' | 'seconds' | 'metric';

/** An order of the rows; `null` is the order of the plan. */
export interface Order {
  readonly column: Column;
  readonly isDown: boolean;
}

export function stageRows(views: readonly StageView[]): StageRow[] {
  return views.map(view => ({
    id: view.id,
    runs: view.runs,
    state: view.state,
    why: view.why,
    when: view.info?.ended ?? view.info?.started ?? null,
    took: tookOf(view.info),
    seconds: secondsOf(view.info),
    metric: firstMetric(view)
  }));
}

/** The rows in an order. Those that have nothing in the column come last, whichever way it goes. */
export function ordered(rows: readonly StageRow[], order: Order | null): StageRow[] {
  if (order === null) {
    return [...rows];
  }
  const { column, isDown } = order;
  const sign = isDown ? -1 : 1;
  const isEmpty = (row: StageRow): boolean => row[column] === null || row[column] === '';
  return [...rows].sort(
    (a, b) => Number(isEmpty(a)) - Number(isEmpty(b)) || (isEmpty(a) ? 0 : sign * compare(a, b, column))
  );
}

function compare(a: StageRow, b: StageRow, column: Column): number {
  if (column === 'state') {
    return STATES.indexOf(a.state) - STATES.indexOf(b.state);
  }
  if (column === 'id' || column === 'metric') {
    return a[column].localeCompare(b[column], 'en', { numeric: true });
  }
  return (a[column] ?? 0) - (b[column] ?? 0);
}

/** The order after a click on a column: up, then down, then that of the plan. */
export function turned(order: Order | null, column: Column): Order | null {
  if (order?.column !== column) {
    return { column, isDown: false };
  }
  return order.isDown ? null : { column, isDown: true };
}
