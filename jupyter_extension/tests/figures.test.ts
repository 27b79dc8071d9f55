import { expect, test } from 'vitest';

import { courseWords, trendOf, weeksOf } from '../src/model/figures';

const weeks = (...values: (number | null)[]) =>
  values.map((value, at) => ({
    start: at,
    end: at + 1,
    value,
    text: value === null ? '' : `${value.toFixed(1)} %`
  }));

test('which way a figure went is a sign and words', () => {
  expect(trendOf({ direction: 'up', verdict: 'worse' })).toEqual({
    sign: '↑',
    spoken: 'up',
    verdict: 'worse'
  });
  expect(trendOf({ direction: 'down', verdict: '' })?.spoken).toBe('down');
  expect(trendOf({ direction: 'same', verdict: '' })).toEqual({ sign: '=', spoken: 'the same', verdict: '' });
  expect(trendOf({ direction: '', verdict: '' })).toBeNull();
});

test('a plot is told in words', () => {
  expect(courseWords(weeks(10, 9, 0))).toBe('3 weeks: lowest 0.0 %, highest 10.0 %, last 0.0 %');
  expect(courseWords(weeks(null, 2, null))).toBe(
    '3 weeks, 2 without a value: lowest 2.0 %, highest 2.0 %, last 2.0 %'
  );
  expect(courseWords(weeks(null))).toBe('1 week without a value');
});

test('weeks without a value are left out of a list', () => {
  expect(weeksOf(weeks(null, 0, 2)).map(week => week.start)).toEqual([1, 2]);
});
