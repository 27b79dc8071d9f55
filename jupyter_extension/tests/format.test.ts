import { expect, test } from 'vitest';

import { ago, bytes, duration, mark, plain, plural, value } from '../src/model/format';

test.each([
  [-1, '0.0 s'],
  [0.44, '0.4 s'],
  [12.4, '12 s'],
  [59.7, '1 min 00 s'],
  [185, '3 min 05 s'],
  [7800, '2 h 10 min'],
  [259_199, '71 h 59 min'],
  [259_200, '3 d 00 h'],
  [2_694_600, '31 d 04 h']
])('%f seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test('marks of an axis of time', () => {
  expect([0, 0.5, 20, 60, 90, 1800, 5400, 86_400].map(mark)).toEqual([
    '0',
    '0.5 s',
    '20 s',
    '1 min',
    '1:30 min',
    '30 min',
    '1:30 h',
    '24 h'
  ]);
});

test('times, counts and sizes', () => {
  expect([ago(0, 30), ago(0, 300), ago(0, 7300), ago(0, 200_000)]).toEqual([
    'just now',
    '5 min ago',
    '2 h ago',
    '2 d ago'
  ]);
  expect([plural(1, 'stage'), plural(0, 'stage')]).toEqual(['1 stage', '0 stages']);
  expect([bytes(12), bytes(12_340_000), bytes(999_700)]).toEqual(['12 B', '12.3 MB', '1.0 MB']);
});

test('values and the text of terminals', () => {
  expect([value('x'), value(0.123456789), value([1, 'a']), value(3), value(null)]).toEqual([
    'x',
    '0.123457',
    '[1,"a"]',
    '3',
    'null'
  ]);
  expect(plain('\u001b[31mred\u001b[0m')).toBe('red');
});
