import { expect, test } from 'vitest';

import { day, isHere, moment, short, timeIn, until } from '../src/model/moments';

const AT = Date.UTC(2026, 11, 1, 5, 0) / 1000;

test('a moment has its time zone', () => {
  expect(moment(AT, 'UTC')).toBe('Tue, 1 Dec 2026, 05:00 UTC');
  expect(moment(AT, 'Europe/Berlin')).toBe('Tue, 1 Dec 2026, 06:00 CET');
  expect(short(AT, 'Asia/Tokyo')).toBe('1 Dec, 14:00');
  expect(day(AT)).toMatch(/^(30 Nov|1 Dec)$/); // in the zone of whoever runs this
});

test('where the day is another one elsewhere it is told', () => {
  const late = Date.UTC(2026, 11, 1, 12, 0) / 1000;
  expect(timeIn(late, 'UTC')).toBe('12:00 UTC');
  expect(timeIn(late, 'Pacific/Kiritimati')).toContain('2 Dec');
});

test('clocks that show the same are here', () => {
  expect(isHere(AT, Intl.DateTimeFormat().resolvedOptions().timeZone)).toBe(true);
  expect(isHere(AT, 'Pacific/Kiritimati')).toBe(false);
});

test('a zone that the browser does not know is told as UTC', () => {
  expect(moment(AT, 'Mars/Olympus')).toBe('Tue, 1 Dec 2026, 05:00 UTC');
});

test.each([
  [0, 'now'],
  [-5, 'now'],
  [40, 'in 40 s'],
  [89.6, 'in 2 min'],
  [3599, 'in 1 h'],
  [3600 * 3 + 1200, 'in 3 h 20 min'],
  [47 * 3600, 'in 47 h'],
  [72 * 3600, 'in 3 d']
])('in %i s is %s', (seconds, text) => {
  expect(until(1000 + seconds, 1000)).toBe(text);
});
