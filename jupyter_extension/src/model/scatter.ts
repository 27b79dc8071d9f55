/** A plot of one value of runs against another one: where its points and the marks of its axes are, from 0 to 1. */

import { duration, figure, value as valueText } from './format';
import { short } from './moments';
import { type Column, type Row, valueOf } from './run-table';

export interface Spot {
  readonly row: Row;
  /** From the left. */
  readonly x: number;
  /** From the bottom. */
  readonly y: number;
  readonly xText: string;
  readonly yText: string;
}

export interface Mark {
  readonly at: number;
  readonly text: string;
}

export interface Scatter {
  /** From left to right. */
  readonly spots: readonly Spot[];
  readonly xMarks: readonly Mark[];
  readonly yMarks: readonly Mark[];
}

const MARKS = 5; // of an axis, about
const CLOSE = 1e-9; // of a step: so far may a number be from a round one by its representation
const MARGIN = 0.05; // of an axis, before its first and after its last value

/** The runs that have both values. Values that are not all numbers have places beside each other. */
export function scatterOf(rows: readonly Row[], x: Column, y: Column): Scatter {
  const known = rows.flatMap(row => {
    const [along, up] = [valueOf(row, x), valueOf(row, y)];
    return along === null || typeof up !== 'number' ? [] : [{ row, along, up }];
  });
  const xAxis = axisOf(
    known.map(one => one.along),
    x
  );
  const yAxis = axisOf(
    known.map(one => one.up),
    y
  );
  const spots = known.map(({ row, along, up }) => ({
    row,
    x: xAxis.place(along),
    y: yAxis.place(up),
    xText: textIn(x, along),
    yText: textIn(y, up)
  }));
  return { spots: spots.sort((a, b) => a.x - b.x), xMarks: xAxis.marks, yMarks: yAxis.marks };
}

interface Axis {
  readonly place: (value: unknown) => number;
  readonly marks: readonly Mark[];
}

function axisOf(values: readonly unknown[], column: Column): Axis {
  const numbers = values.filter((value): value is number => typeof value === 'number');
  if (numbers.length < values.length) {
    return placesOf(values);
  }
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const whole = high - low;
  const place = (value: unknown): number =>
    whole === 0 ? 0.5 : MARGIN + (1 - 2 * MARGIN) * ((Number(value) - low) / whole);
  const marks = numbers.length === 0 ? [] : roundOnes(low, high);
  return { place, marks: marks.map(value => ({ at: place(value), text: textIn(column, value) })) };
}

/** An axis of texts, in their order. */
function placesOf(values: readonly unknown[]): Axis {
  const order = new Intl.Collator('en', { numeric: true });
  const texts = [...new Set(values.map(valueText))].sort((a, b) => order.compare(a, b));
  const at = (text: string): number => (texts.indexOf(text) + 0.5) / texts.length;
  return { place: value => at(valueText(value)), marks: texts.map(text => ({ at: at(text), text })) };
}

/** Round numbers within a range, about as many as there is room for; its one number where it has no more. */
export function roundOnes(low: number, high: number): number[] {
  if (high <= low) {
    return [low];
  }
  const rough = (high - low) / MARKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step - CLOSE);
  const count = Math.floor(high / step + CLOSE) - first + 1;
  return Array.from({ length: count }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

function textIn(column: Column, value: unknown): string {
  switch (column.kind) {
    case 'run':
      return short(Number(value));
    case 'took':
      return duration(Number(value));
    default:
      return figure(value);
  }
}
