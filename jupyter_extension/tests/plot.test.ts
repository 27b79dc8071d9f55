import { expect, test } from 'vitest';

import { courseOf, plotOf } from '../src/model/plot';

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

test('a course begins at 0, and has a gap where a value is missing', () => {
  const course = courseOf([2, null, 4, 1], 100, 20);
  expect(course.map(stretch => stretch.map(({ at, y }) => [at, y]))).toEqual([
    [[0, 10]],
    [
      [2, 3],
      [3, 13.5]
    ]
  ]);
  expect(course.flat().map(spot => Math.round(spot.x))).toEqual([3, 66, 97]);
});

test('a course of nothing but 0 lies at the bottom, one of no values is empty', () => {
  expect(courseOf([0, 0], 100, 20)).toEqual([
    [
      { at: 0, x: 3, y: 17 },
      { at: 1, x: 97, y: 17 }
    ]
  ]);
  expect(courseOf([null, null], 100, 20)).toEqual([]);
  expect(courseOf([], 100, 20)).toEqual([]);
  expect(courseOf([5], 100, 20)).toEqual([[{ at: 0, x: 3, y: 3 }]]);
});
