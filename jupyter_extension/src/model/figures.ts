/** Figures as a person, or a screen reader, tells them. */

import type { FigureInfo, FigurePoint } from '../wire';
import { plural } from './format';

/** The windows that can be chosen, in days. */
export const DAYS = [7, 30, 90, 365] as const;

/** Which way a figure went since the window before: a sign, the same in words, and what is to be thought of it. */
export interface TrendWords {
  readonly sign: string;
  readonly spoken: string;
  readonly verdict: string;
}

const DIRECTIONS = {
  up: { sign: '↑', spoken: 'up' },
  down: { sign: '↓', spoken: 'down' },
  same: { sign: '=', spoken: 'the same' }
} as const;

/** The trend of a figure; null where nobody knows it. */
export function trendOf({
  direction,
  verdict
}: Pick<FigureInfo, 'direction' | 'verdict'>): TrendWords | null {
  return direction === '' ? null : { ...DIRECTIONS[direction], verdict };
}

/** What a small plot of weeks shows: `12 weeks, 9 without a value: lowest 0.0 %, highest 9.1 %, last 9.1 %`. */
export function courseWords(points: readonly FigurePoint[]): string {
  const known = points.filter(hasValue);
  const gaps = points.length - known.length;
  const weeks = plural(points.length, 'week');
  const last = known[known.length - 1];
  if (last === undefined) {
    return `${weeks} without a value`;
  }
  const sorted = [...known].sort((a, b) => a.value - b.value);
  const range = `lowest ${sorted[0]?.text ?? ''}, highest ${sorted[sorted.length - 1]?.text ?? ''}`;
  return `${weeks}${gaps === 0 ? '' : `, ${gaps} without a value`}: ${range}, last ${last.text}`;
}

/** The weeks in which a figure stands on something. */
export function weeksOf(points: readonly FigurePoint[]): readonly FigurePoint[] {
  return points.filter(hasValue);
}

function hasValue(point: FigurePoint): point is FigurePoint & { readonly value: number } {
  return point.value !== null;
}
