import { expect, test } from 'vitest';

import { plotOf } from '../src/model/plot';

const points = (...values: number[]) => values.map((value, at) => ({ run: `r${at}`, at, value, text: '' }));

test('the highest value is at the top, the first at the left', () => {
  const plot = plotOf({ points: points(1, 3, 2), low: null, high: null }, 100, 20);
  expect(plot.points).toEqual([
    { x: 3, y: 17 },
    { x: 50, y: 3 },
    { x: 97, y: 10 }
  ]);
  expect(plot.band).toBeNull();
});

test('the range that is usual fits in, and what is out of it as well', () => {
  const plot = plotOf({ points: points(10, 10, 0), low: 8, high: 20 }, 100, 20);
  expect(plot.band?.top).toBe(3);
  expect(plot.points[2]?.y).toBe(17);
  expect((plot.band?.top ?? 0) + (plot.band?.height ?? 0)).toBeLessThan(17);
});

test('one point, and figures that are all the same, are in the middle', () => {
  expect(plotOf({ points: points(5), low: null, high: null }, 100, 20).points).toEqual([{ x: 3, y: 10 }]);
  const plot = plotOf({ points: points(5, 5), low: 5, high: 5 }, 100, 20);
  expect(plot.points.map(point => point.y)).toEqual([10, 10]);
  expect(plot.band).toEqual({ top: 10, height: 1 });
});
