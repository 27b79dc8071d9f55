/** Runs side by side: how a value differs from that of the first one. */

import { figure } from './format';

/** By how much a number differs from the first one: `+0.02`; empty where they are alike, or no numbers. */
export function delta(value: unknown, first: unknown, text: (value: number) => string = figure): string {
  if (typeof value !== 'number' || typeof first !== 'number' || value === first) {
    return '';
  }
  const difference = Number((value - first).toPrecision(6));
  return `${difference < 0 ? '−' : '+'}${text(Math.abs(difference))}`;
}
