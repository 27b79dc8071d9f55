import { expect, test } from 'vitest';

import times from '../../tests/shared/times.json';
import { ago, bytes, duration, figure, mark, plain, plural, value } from '../src/model/format';

// The terminal has the same examples.
test.each(times.durations as [number, string][])('%f seconds are %s', (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test.each(times.ago as [number, string][])('%i seconds before now is %s', (seconds, text) => {
  expect(ago(times.now - seconds, times.now, 'UTC')).toBe(text);
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

test('counts and sizes', () => {
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

test('numbers of a table have separators and the digits that count', () => {
  expect([1234567, 0.123456, 12345.678, 123456.78, 0, -0.5, 0.00001234].map(figure)).toEqual([
    '1,234,567',
    '0.12346',
    '12,346',
    '123,457',
    '0',
    '-0.5',
    '1.234e-5'
  ]);
  expect([figure('nan'), figure(true), figure([1])]).toEqual(['nan', 'true', '[1]']);
});
