import { expect, test } from 'vitest';

import { levelOf, LogText, marked, stepped, windowOf } from '../src/model/log-text';

function shown(log: LogText): string[] {
  return log.shown.map(at => log.lines[at] ?? '');
}

test.each([
  ['ERROR:root:no disk', 'error'],
  ['2026-11-30 12:00:00,123 - app - CRITICAL - no disk', 'error'],
  ['[E 2026-11-30 12:00:00 app] no disk', 'error'],
  ['Traceback (most recent call last):', 'error'],
  ['ValueError: no disk', 'error'],
  ['pandas.errors.ParserError: no disk', 'error'],
  ['WARNING:root:slow disk', 'warning'],
  ['/lib/x.py:3: UserWarning: slow disk', 'warning'],
  ['[W 12:00] slow disk', 'warning'],
  ['INFO:root:a disk', 'info'],
  ['12:00 INFO a disk', 'info'],
  ['no errors here', 'other'],
  ['DEBUG:root:a disk', 'other'],
  ['INFORMATION', 'other'],
  ['', 'other']
])('the level of %s is %s', (line, level) => {
  expect(levelOf(line, 'info')).toBe(level);
});

test('what is indented belongs to the line before it', () => {
  expect(levelOf('  File "x.py", line 3', 'error')).toBe('error');
});

test('lines come in pieces that join', () => {
  const log = new LogText(1000);
  for (const piece of ['on', 'e\ntw', '', 'o\n', '\nthree']) {
    log.add(piece);
  }
  expect(log.lines).toEqual(['one', 'two', '', 'three']);
  log.add('!\n');
  expect(log.lines).toEqual(['one', 'two', '', 'three!']);
  expect([log.length, log.counts.other]).toEqual([16, 4]);
});

test('a line that is not complete changes its level with what follows', () => {
  const log = new LogText(1000);
  log.look('error', 'disk');
  log.add('ERR');
  expect(shown(log)).toEqual([]);
  log.add('OR no disk');
  expect([shown(log), log.found, log.counts]).toEqual([
    ['ERROR no disk'],
    [0],
    { error: 1, warning: 0, info: 0, other: 0 }
  ]);
  log.add(' at all');
  expect([shown(log), log.found]).toEqual([['ERROR no disk at all'], [0]]);
});

test('levels leave the more serious lines, and a search finds among these', () => {
  const log = new LogText(1000);
  log.add('INFO a disk\nWARNING slow Disk\nERROR no disk\n  in x.py\nplain disk\n');
  log.look('warning', 'DISK');
  expect(shown(log)).toEqual(['WARNING slow Disk', 'ERROR no disk', '  in x.py']);
  expect(log.found).toEqual([0, 1]);
  log.add('ERROR another disk\n');
  expect(log.found).toEqual([0, 1, 3]);
  log.look('all', '');
  expect([log.shown.length, log.found]).toEqual([6, []]);
});

test('of more than the most characters the first lines go, and are counted', () => {
  const log = new LogText(100);
  log.look('all', '9');
  for (let at = 0; at < 30; at += 1) {
    log.add(`line ${String(at).padStart(2, '0')}\n`);
  }
  expect(log.length).toBeLessThanOrEqual(100);
  expect(log.gone + log.length).toBe(240);
  expect(log.lines[log.lines.length - 1]).toBe('line 29');
  expect(log.counts.other).toBe(log.lines.length);
  expect(log.found.map(at => shown(log)[at])).toEqual(['line 29']);
});

test('a very long line is drawn as several, and goes on', () => {
  const log = new LogText(1e6);
  log.add('x'.repeat(4500));
  expect(log.lines.map(line => line.length)).toEqual([2000, 2000, 500]);
  log.add('yy\nend');
  expect(log.lines.map(line => line.length)).toEqual([2000, 2000, 502, 3]);
});

test('half a million lines are taken and searched in a moment', () => {
  const log = new LogText(1e8);
  log.add('a line of what a stage printed, of some length\n'.repeat(500_000));
  const before = performance.now();
  log.look('all', 'printed');
  expect(log.found.length).toBe(500_000);
  expect(performance.now() - before).toBeLessThan(2_000);
});

test('the text that is looked for is marked, whatever is in it', () => {
  expect(marked('a.b A.B acb', 'a.b')).toEqual(['', 'a.b', ' ', 'A.B', ' acb']);
  expect(marked('(x', '(')).toEqual(['', '(', 'x']);
  expect(marked('x', '')).toEqual(['x']);
});

test('after the last place comes the first one', () => {
  expect([stepped(2, 1, 3), stepped(0, -1, 3), stepped(0, 1, 0)]).toEqual([0, 2, 0]);
});

test('lines in sight, and some around them', () => {
  expect(windowOf(0, 100, 10, 1000)).toEqual([0, 30]);
  expect(windowOf(5000, 100, 10, 1000)).toEqual([480, 530]);
  expect(windowOf(9900, 100, 10, 1000)).toEqual([970, 1000]);
});

test('of more than the most lines the first ones go', () => {
  const log = new LogText(1e6, 8);
  log.add('\n'.repeat(9) + 'end\n');
  expect(log.lines).toEqual(['', '', '', '', '', 'end']);
  expect(log.gone).toBe(4);
});

test('a carriage return begins the line anew', () => {
  const log = new LogText(1000);
  for (const piece of ['10 %\r', '20 %\r30', ' %\r', '\nwindows\r\n']) {
    log.add(piece);
  }
  expect(log.lines.map(line => line.trim())).toEqual(['30 %', 'windows']);
});
