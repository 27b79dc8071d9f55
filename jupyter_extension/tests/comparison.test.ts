import { expect, test } from 'vitest';

import { delta } from '../src/model/comparison';
import { duration } from '../src/model/format';

test.each([
  [0.3, 0.1, '+0.2'],
  [0.1, 0.25, '−0.15'],
  [2, 2, ''],
  ['a', 1, ''],
  [1, null, '']
])('%s differs from %s by %s', (value, first, text) => {
  expect(delta(value, first)).toBe(text);
});

test('times differ by a time', () => {
  expect(delta(200, 15, duration)).toBe('+3 min 05 s');
});
