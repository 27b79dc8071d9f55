/** The table of runs: its columns, the order of its rows, what is left by a filter, and the best values. */

import type { RunInfo, RunResult, RunsReply, StageStatus } from '../wire';
import { value as valueText } from './format';

export type Direction = 'lower' | 'higher' | 'none';

/** A column. `name` is that of a parameter, or of a metric as `stage.metric`; `label` is shorter where that is clear. */
export interface Column {
  readonly id: string;
  readonly kind: 'run' | 'status' | 'took' | 'param' | 'metric' | 'by';
  readonly name: string;
  readonly label: string;
  /** Whether it is shown unless somebody chose otherwise. */
  readonly isUsual: boolean;
}

/** A run in the table. The points of a sweep have it as their `parent`. */
export interface Row {
  readonly run: RunInfo;
  readonly result: RunResult;
  readonly parent: RunInfo | null;
  readonly level: 0 | 1;
}

export interface Sort {
  readonly column: string;
  readonly isDescending: boolean;
}

/** What somebody chose about the table, by the ids of columns. */
export interface TableChoice {
  readonly shown: Readonly<Record<string, boolean>>;
  readonly directions: Readonly<Record<string, Direction>>;
  readonly sort: Sort;
}

export const NEWEST: Sort = { column: 'run', isDescending: true };
export const EMPTY_CHOICE: TableChoice = { shown: {}, directions: {}, sort: NEWEST };

const USUAL_METRICS = 8; // so many are shown unless somebody chose otherwise
const NOTHING: RunResult = { metrics: {}, statuses: {}, reused: [] };

/** The rows, the newest first; the points of a sweep follow it. */
export function rowsOf(reply: RunsReply): Row[] {
  const byId = new Map(reply.runs.map(run => [run.id, run]));
  const points = new Map<string, RunInfo[]>();
  for (const run of reply.runs) {
    if (byId.has(run.parent)) {
      points.set(run.parent, [run, ...(points.get(run.parent) ?? [])]);
    }
  }
  const row = (run: RunInfo, level: 0 | 1): Row => ({
    run,
    result: reply.results[run.id] ?? NOTHING,
    parent: byId.get(run.parent) ?? null,
    level
  });
  return reply.runs
    .filter(run => !byId.has(run.parent))
    .flatMap(run => [row(run, 0), ...(points.get(run.id) ?? []).map(point => row(point, 1))]);
}

/** All columns that there can be. Those of parameters that are the same in all runs are not usual. */
export function columnsOf(rows: readonly Row[]): Column[] {
  const ran = rows.filter(({ run }) => run.kind === 'run');
  const params = [...new Set(ran.flatMap(({ run }) => Object.keys(run.params)))];
  const metrics = [...new Set(rows.flatMap(({ result }) => Object.keys(result.metrics)))].sort(byInstance);
  const ends = metrics.map(end);
  return [
    fixed('run', 'Run'),
    fixed('status', 'Status'),
    fixed('took', 'Took'),
    ...params.map(name => ({
      id: `param:${name}`,
      kind: 'param' as const,
      name,
      label: name,
      isUsual: new Set(ran.map(({ run }) => JSON.stringify(run.params[name]))).size > 1
    })),
    ...metrics.map((name, at) => ({
      id: `metric:${name}`,
      kind: 'metric' as const,
      name,
      label: ends.filter(other => other === ends[at]).length > 1 ? name : end(name),
      isUsual: at < USUAL_METRICS
    })),
    fixed('by', 'Started by')
  ];
}

function fixed(kind: 'run' | 'status' | 'took' | 'by', label: string): Column {
  return { id: kind, kind, name: kind, label, isUsual: true };
}

/** `auc` of `train.auc`. */
function end(metric: string): string {
  return metric.slice(metric.lastIndexOf('.') + 1);
}

/** Metrics of the instances of a matrix come last: there may be many. */
function byInstance(one: string, other: string): number {
  return Number(one.includes('@')) - Number(other.includes('@'));
}

export function isShown(column: Column, choice: TableChoice): boolean {
  return column.kind === 'run' || (choice.shown[column.id] ?? column.isUsual);
}

/** The value in a column, for sorting, comparing and plotting; null where there is none. */
export function valueOf(row: Row, column: Column): unknown {
  const { run, result } = row;
  switch (column.kind) {
    case 'run':
      return run.started;
    case 'status':
      return run.status;
    case 'took':
      return run.ended === null ? null : run.ended - run.started;
    case 'by':
      return run.user || run.command;
    case 'param':
      return run.params[column.name] ?? null;
    case 'metric':
      return result.metrics[column.name] ?? null;
  }
}

/** Whether the value was taken over from an earlier run. */
export function isReused(row: Row, column: Column): boolean {
  return (
    column.kind === 'metric' && row.result.reused.includes(column.name.slice(0, column.name.lastIndexOf('.')))
  );
}

/** How many of its stages a run took from earlier ones, of all that came to something; null where it took none. */
export function reuseOf({ result }: Row): { reused: number; all: number } | null {
  const reused = result.statuses['reused'] ?? 0;
  const others = (['completed', 'failed', 'cancelled', 'interrupted'] as const).map(
    status => result.statuses[status] ?? 0
  );
  return reused === 0 ? null : { reused, all: others.reduce((sum, count) => sum + count, reused) };
}

// -- sorting and filtering --

/** The rows by a column, those without a value last. By the time, the newest first, points stay below their sweep. */
export function sortRows(rows: readonly Row[], columns: readonly Column[], sort: Sort): readonly Row[] {
  const column = columns.find(one => one.id === sort.column);
  if (column === undefined || (sort.column === NEWEST.column && sort.isDescending)) {
    return rows;
  }
  const sign = sort.isDescending ? -1 : 1;
  const keyed = rows.map(row => ({ row, value: valueOf(row, column) }));
  return keyed
    .sort((a, b) => {
      if (a.value === null || b.value === null) {
        return Number(a.value === null) - Number(b.value === null);
      }
      return sign * compared(a.value, b.value);
    })
    .map(({ row }) => ({ ...row, level: 0 }));
}

const TEXTS = new Intl.Collator('en', { numeric: true });

function compared(one: unknown, other: unknown): number {
  return typeof one === 'number' && typeof other === 'number'
    ? one - other
    : TEXTS.compare(valueText(one), valueText(other));
}

/** What a click on the head of a column makes of the order: numbers and times begin with the highest. */
export function nextSort(sort: Sort, column: Column, rows: readonly Row[]): Sort {
  if (sort.column === column.id) {
    return { column: column.id, isDescending: !sort.isDescending };
  }
  return { column: column.id, isDescending: isNumeric(rows, column) };
}

/** Whether all values are numbers. What a sweep goes through is a list, and does not count. */
export function isNumeric(rows: readonly Row[], column: Column): boolean {
  const ran = rows.filter(row => row.run.kind === 'run');
  const values = ran.map(row => valueOf(row, column)).filter(value => value !== null);
  return values.length > 0 && values.every(value => typeof value === 'number');
}

/** The rows that have all words of a text somewhere, in columns that are not shown too, and a status, unless that is empty. */
export function filterRows(
  rows: readonly Row[],
  columns: readonly Column[],
  text: string,
  status: StageStatus | ''
): readonly Row[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0 && status === '') {
    return rows;
  }
  const left = rows.filter(row => {
    if (status !== '' && row.run.status !== status) {
      return false;
    }
    const all = words.length === 0 ? '' : textOf(row, columns);
    return words.every(word => all.includes(word));
  });
  // A point without its sweep above it stands for itself.
  const ids = new Set(left.map(row => row.run.id));
  return left.map(row => (row.level === 1 && !ids.has(row.run.parent) ? { ...row, level: 0 } : row));
}

function textOf(row: Row, columns: readonly Column[]): string {
  const { run } = row;
  const values = columns
    .filter(column => column.kind === 'param' || column.kind === 'metric')
    .map(column => ({ column, value: valueOf(row, column) }))
    .filter(({ value }) => value !== null)
    .map(({ column, value }) => `${column.name}=${valueText(value)}`);
  const all = [run.id, run.kind, run.status, run.reason, run.user, run.host, run.command, run.commit];
  return [...all, ...values].join('\n').toLowerCase();
}

// -- the best values --

const LOWER = /(^|_)(loss|err|error|errors|mse|rmse|mae|mape|logloss|perplexity)(_|$)/;
const HIGHER =
  /(^|_)(auc|acc|accuracy|f1|precision|recall|r2|score|map|ndcg|bleu|iou|dice|roc|gain|likelihood)(_|$)/;

/** Which values of a metric are better: by what somebody chose, or else by its name. */
export function directionOf(column: Column, choice: TableChoice): Direction {
  if (column.kind !== 'metric') {
    return 'none';
  }
  const name = end(column.name).toLowerCase();
  const usual = LOWER.test(name) ? 'lower' : HIGHER.test(name) ? 'higher' : 'none';
  return choice.directions[column.id] ?? usual;
}

/** The ids of the completed runs with the best value: of those that made it, where there are any; of none where all are alike. */
export function bestOf(rows: readonly Row[], column: Column, direction: Direction): ReadonlySet<string> {
  const found = rows.flatMap(row => {
    const value = valueOf(row, column);
    return typeof value === 'number' && row.run.status === 'completed' ? [{ row, value }] : [];
  });
  const values = found.map(one => one.value);
  if (direction === 'none' || new Set(values).size < 2) {
    return new Set();
  }
  const best = values.reduce((a, b) => (direction === 'lower' ? Math.min(a, b) : Math.max(a, b)));
  const having = found.filter(one => one.value === best).map(one => one.row);
  const made = having.filter(row => !isReused(row, column));
  return new Set((made.length > 0 ? made : having).map(row => row.run.id));
}

// -- what is kept --

/** What was kept of a choice; what is not understood of it is left out. */
export function choiceOf(kept: unknown): TableChoice {
  const { shown, directions, sort } = record(kept);
  const { column, isDescending } = record(sort);
  return {
    shown: only(shown, (value): value is boolean => typeof value === 'boolean'),
    directions: only(
      directions,
      (value): value is Direction => value === 'lower' || value === 'higher' || value === 'none'
    ),
    sort: typeof column === 'string' && typeof isDescending === 'boolean' ? { column, isDescending } : NEWEST
  };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function only<T>(of: unknown, is: (value: unknown) => value is T): Record<string, T> {
  return Object.fromEntries(Object.entries(record(of)).filter((entry): entry is [string, T] => is(entry[1])));
}
