/** Where the points of a small plot are. */

import type { MonitorSeries } from '../wire';

export type Plot = {
  readonly points: readonly { readonly x: number; readonly y: number }[];
  readonly band: { readonly top: number; readonly height: number } | null;
};

const EDGE = 3; // pixels that stay free around the points

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
