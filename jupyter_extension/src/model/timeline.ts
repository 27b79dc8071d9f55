/** A grid of runs and stages, and a calendar: what is in each place, and what a screen reader says of it. */

import type { CalendarPlace, CalendarReply, GridRun, Period, StageStatus } from '../wire';
import { plural } from './format';
import { short } from './moments';
import { shortId } from './run-name';
import { STATES } from './stage-state';

/** A line of the grid: a stage instance, or several that are folded to one. */
export interface GridRow {
  readonly key: string;
  readonly label: string;
  readonly ids: readonly string[];
  /** Whether it stands for several instances that are not shown on their own. */
  readonly folded: boolean;
  /** Whether it is the head of instances that are shown. */
  readonly open: boolean;
  readonly level: 0 | 1;
}

/** The lines of a grid: the instances of a stage are one line, and follow it where it is open. */
export function gridRows(stages: readonly string[], open: ReadonlySet<string>): GridRow[] {
  const groups = new Map<string, string[]>();
  for (const id of stages) {
    const name = id.split('@')[0] ?? id;
    groups.set(name, [...(groups.get(name) ?? []), id]);
  }
  return [...groups].flatMap(([name, ids]) => {
    if (ids.length === 1) {
      const id = ids[0] ?? name;
      return [{ key: id, label: id, ids, folded: false, open: false, level: 0 as const }];
    }
    const isOpen = open.has(name);
    const head = { key: name, label: name, ids, folded: !isOpen, open: isOpen, level: 0 as const };
    const members = ids.map(id => ({
      key: id,
      label: id.slice(name.length) || id,
      ids: [id],
      folded: false,
      open: false,
      level: 1 as const
    }));
    return isOpen ? [head, ...members] : [head];
  });
}

/** What a square shows: the most urgent status of the instances in it, and the one that has it. */
export interface Square {
  readonly status: StageStatus;
  readonly id: string;
  readonly label: string;
  readonly noted: boolean;
}

/** The square of a line in the column of a run; null where the run has no such stage. */
export function squareOf(row: GridRow, run: GridRun, zone: string): Square | null {
  const known = row.ids.flatMap(id => {
    const status = run.stages[id];
    return status === undefined ? [] : [{ id, status }];
  });
  const worst = STATES.flatMap(state => known.filter(one => one.status === state))[0];
  if (worst === undefined) {
    return null;
  }
  const alike = known.filter(one => one.status === worst.status).length;
  const many = known.length > 1;
  const what = many && alike < known.length ? `${alike} of ${known.length} ${worst.status}` : worst.status;
  const noted = known.some(one => run.noted.includes(one.id));
  const name = many ? `${row.label}, ${plural(known.length, 'instance')}` : worst.id;
  return { ...worst, label: labelOf(name, what, noted, run, zone), noted };
}

/** The square of a run as a whole. */
export function runSquare(run: GridRun, zone: string): Square {
  const noted = run.noted.includes('');
  return { status: run.status, id: '', label: labelOf('the run', run.status, noted, run, zone), noted };
}

function labelOf(name: string, what: string, noted: boolean, run: GridRun, zone: string): string {
  return [name, what, noted ? 'with a note' : '', columnTitle(run, zone)].filter(Boolean).join(', ');
}

/** The head of a column: the interval of the run, or when it began. */
export function columnLabel(run: GridRun, zone: string): string {
  return run.interval || short(run.started, zone);
}

/** All that is known of a column, in a few words. */
export function columnTitle(run: GridRun, zone: string): string {
  return [
    `run ${shortId(run.id)}`,
    run.interval && `about ${run.interval}`,
    `began ${short(run.started, zone)}`,
    run.schedule && `by the schedule ${run.schedule}`,
    run.parent && 'of a backfill'
  ]
    .filter(Boolean)
    .join(', ');
}

/** A move within a grid of squares by a key; null where the key moves nothing. */
export function moved(
  at: readonly [number, number],
  key: string,
  rows: number,
  columns: number
): readonly [number, number] | null {
  const [row, column] = at;
  const clamp = (value: number, count: number): number => Math.max(0, Math.min(count - 1, value));
  switch (key) {
    case 'ArrowUp':
      return [clamp(row - 1, rows), column];
    case 'ArrowDown':
      return [clamp(row + 1, rows), column];
    case 'ArrowLeft':
      return [row, clamp(column - 1, columns)];
    case 'ArrowRight':
      return [row, clamp(column + 1, columns)];
    case 'Home':
      return [row, 0];
    case 'End':
      return [row, columns - 1];
    default:
      return null;
  }
}

// -- the calendar --

const WEEK = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
const YEAR = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** A table of days by weeks, or of months by half years: those have no heads, as each month has its name. */
export interface CalendarTable {
  readonly columns: readonly string[];
  readonly rows: readonly {
    readonly label: string;
    readonly places: readonly (CalendarPlace | null)[];
  }[];
}

export function calendarTable({ period, places }: CalendarReply): CalendarTable {
  const width = period === 'day' ? WEEK.length : HALF;
  const rows = new Map<string, (CalendarPlace | null)[]>();
  for (const place of places) {
    const at = period === 'day' ? weekday(place.name) : monthOf(place.name) % HALF;
    const label = period === 'day' ? weekOf(place.name) : halfOf(place.name);
    const row = rows.get(label) ?? new Array<CalendarPlace | null>(width).fill(null);
    row[at] = place;
    rows.set(label, row);
  }
  return {
    columns: period === 'day' ? WEEK : [],
    rows: [...rows].map(([label, found]) => ({ label, places: found }))
  };
}

const HALF = 6; // months

/** 0 for January. */
function monthOf(month: string): number {
  return Number(month.slice(5, 7)) - 1;
}

/** The half of the year of a month: `Jan–Jun 2026`. */
function halfOf(month: string): string {
  return `${monthOf(month) < HALF ? 'Jan–Jun' : 'Jul–Dec'} ${month.slice(0, 4)}`;
}

/** What stands for a day or a month in its place: `5`, `Jan`. */
export function placeName({ name }: CalendarPlace, period: Period): string {
  return period === 'day' ? String(Number(name.slice(-2))) : (YEAR[monthOf(name)] ?? name);
}

/** 0 for Monday. */
function weekday(day: string): number {
  return (new Date(`${day}T00:00:00Z`).getUTCDay() + 6) % 7;
}

/** The Monday of the week of a day, such as `5 Jan`. */
function weekOf(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() - weekday(day));
  return `${date.getUTCDate()} ${YEAR[date.getUTCMonth()] ?? ''}`;
}

/** How many runs of a day ended how, the most urgent first. */
export function outcomesOf(place: CalendarPlace): [StageStatus, number][] {
  return STATES.flatMap(state => {
    const count = place.runs[state];
    return count === undefined ? [] : [[state as StageStatus, count] as [StageStatus, number]];
  });
}

/** What a screen reader says of a day or a month. */
export function placeLabel(place: CalendarPlace): string {
  const runs = outcomesOf(place).map(([status, count]) => `${count} ${status}`);
  const told = runs.length === 0 ? 'no runs' : `runs: ${runs.join(', ')}`;
  const lacking = (['missing', 'failed'] as const).flatMap(state => {
    const count = place.intervals[state] ?? 0;
    const names = place.lacking.filter(one => one.state === state).map(one => one.name);
    return count === 0 ? [] : [`${plural(count, 'interval')} ${state}: ${named(names, count)}`];
  });
  const done = place.intervals['done'] ?? 0;
  return [`${place.name}: ${told}`, ...lacking, done > 0 ? `${plural(done, 'interval')} done` : '']
    .filter(Boolean)
    .join('; ');
}

const NAMED = 3;

function named(names: readonly string[], count: number): string {
  const more = count - Math.min(names.length, NAMED);
  return names.slice(0, NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** From the first to the last interval that lacks something, for a backfill; null where none does. */
export function lackingRange(reply: CalendarReply): readonly [string, string] | null {
  const names = reply.places.flatMap(place =>
    place.lacking.filter(one => one.state !== 'running').map(one => one.name)
  );
  const [first, last] = [names[0], names[names.length - 1]];
  return first === undefined || last === undefined ? null : [first, last];
}
