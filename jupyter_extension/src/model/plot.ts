/** Where the points of a small plot are. */

import type { MonitorSeries } from '../wire';

/** A place in a plot, in pixels. */
export interface Spot {
  readonly x: number;
  readonly y: number;
}

export type Plot = {
  readonly points: readonly Spot[];
  readonly band: { readonly top: number; readonly height: number } | null;
};

export const EDGE = 3; // pixels that stay free around the points

/** The points from left to right, the highest value at the top; the range that is usual as a band. */
export function plotOf(
  series: Pick<MonitorSeries, 'points' | 'low' | 'high'>,
  width: number,
  height: number
): Plot {
  const values = series.points.map(point => point.value);
  const range = series.low !== null && series.high !== null ? [series.low, series.high] : [];
  const lowest = Math.min(...values, ...range);
  const highest = Math.max(...values, ...range);
  const step = values.length > 1 ? (width - 2 * EDGE) / (values.length - 1) : 0;
  const y = (value: number): number =>
    highest > lowest
      ? height - EDGE - ((value - lowest) / (highest - lowest)) * (height - 2 * EDGE)
      : height / 2;
  const [low, high] = range;
  return {
    points: values.map((value, at) => ({ x: EDGE + at * step, y: y(value) })),
    band:
      low === undefined || high === undefined ? null : { top: y(high), height: Math.max(1, y(low) - y(high)) }
  };
}

/** Values from left to right, in stretches: where one is missing, a stretch ends. 0 is at the bottom, the highest value at the top;
 * none is below 0. Each spot has the place `at` which its value stands. */
export function courseOf(
  values: readonly (number | null)[],
  width: number,
  height: number
): readonly (readonly (Spot & { readonly at: number })[])[] {
  const highest = Math.max(0, ...values.map(value => value ?? 0));
  const step = values.length > 1 ? (width - 2 * EDGE) / (values.length - 1) : 0;
  const stretches: (Spot & { at: number })[][] = [];
  let isOpen = false;
  values.forEach((value, at) => {
    if (value !== null) {
      const part = highest > 0 ? value / highest : 0;
      const spot = { at, x: EDGE + at * step, y: height - EDGE - part * (height - 2 * EDGE) };
      if (isOpen) {
        stretches[stretches.length - 1]?.push(spot);
      } else {
        stretches.push([spot]);
      }
    }
    isOpen = value !== null;
  });
  return stretches;
}
