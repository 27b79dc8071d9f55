import { describe, expect, test } from 'vitest';

import {
  calendarTable,
  columnLabel,
  gridRows,
  lackingRange,
  moved,
  outcomesOf,
  placeLabel,
  placeName,
  runSquare,
  squareOf
} from '../src/model/timeline';
import type { CalendarPlace, CalendarReply, GridRun } from '../src/wire';

function ran(fields: Partial<GridRun> = {}): GridRun {
  return {
    id: 'r1',
    status: 'completed',
    started: Date.UTC(2026, 0, 6, 5, 30) / 1000,
    ended: null,
    interval: '2026-01-05',
    schedule: 'daily',
    parent: '',
    stages: {},
    noted: [],
    ...fields
  };
}

function place(name: string, fields: Partial<CalendarPlace> = {}): CalendarPlace {
  return { name, start: 0, end: 1, runs: {}, intervals: {}, lacking: [], ...fields };
}

function reply(period: 'day' | 'month', places: CalendarPlace[]): CalendarReply {
  return { period, zone: 'UTC', schedule: 'daily', too_many: false, places };
}

const IDS = ['load', 'fit@2', 'fit@4', 'report'];

describe('the lines of a grid', () => {
  test('the instances of a stage are one line until they are unfolded', () => {
    expect(gridRows(IDS, new Set()).map(row => [row.key, row.folded, row.ids.length])).toEqual([
      ['load', false, 1],
      ['fit', true, 2],
      ['report', false, 1]
    ]);
    expect(gridRows(IDS, new Set(['fit'])).map(row => [row.key, row.label, row.level, row.open])).toEqual([
      ['load', 'load', 0, false],
      ['fit', 'fit', 0, true],
      ['fit@2', '@2', 1, false],
      ['fit@4', '@4', 1, false],
      ['report', 'report', 0, false]
    ]);
  });

  test('a square says what it is of', () => {
    const [load, fit] = gridRows(IDS, new Set());
    const run = ran({ stages: { load: 'reused' }, noted: ['load'] });
    expect(load && squareOf(load, run, 'UTC')).toEqual({
      status: 'reused',
      id: 'load',
      noted: true,
      label: 'load, reused, with a note, run r1, about 2026-01-05, began 6 Jan, 05:30, by the schedule daily'
    });
    expect(fit && squareOf(fit, run, 'UTC')).toBeNull();
  });

  test.each([
    [{ 'fit@2': 'completed', 'fit@4': 'failed' }, 'failed', 'fit@4', 'fit, 2 instances, 1 of 2 failed'],
    [{ 'fit@2': 'skipped', 'fit@4': 'completed' }, 'skipped', 'fit@2', 'fit, 2 instances, 1 of 2 skipped'],
    [{ 'fit@2': 'reused', 'fit@4': 'reused' }, 'reused', 'fit@2', 'fit, 2 instances, reused'],
    [{ 'fit@4': 'running' }, 'running', 'fit@4', 'fit@4, running']
  ] as const)('of several instances the most urgent one counts: %o', (stages, status, id, label) => {
    const row = gridRows(IDS, new Set())[1];
    const square = row && squareOf(row, ran({ stages }), 'UTC');
    expect([square?.status, square?.id]).toEqual([status, id]);
    expect(square?.label.startsWith(`${label}, run r1`)).toBe(true);
  });

  test('a run as a whole has a square, too', () => {
    const { label, noted } = runSquare(
      ran({ status: 'failed', noted: [''], parent: 'b', schedule: '' }),
      'UTC'
    );
    expect(noted).toBe(true);
    expect(label).toBe(
      'the run, failed, with a note, run r1, about 2026-01-05, began 6 Jan, 05:30, of a backfill'
    );
  });

  test('a column is of an interval, or of the time in the zone that is shown', () => {
    expect(columnLabel(ran(), 'UTC')).toBe('2026-01-05');
    expect(columnLabel(ran({ interval: '' }), 'Asia/Tokyo')).toBe('6 Jan, 14:30');
  });
});

test.each([
  ['ArrowUp', [0, 2]],
  ['ArrowDown', [2, 2]],
  ['ArrowLeft', [1, 1]],
  ['ArrowRight', [1, 2]],
  ['Home', [1, 0]],
  ['End', [1, 2]],
  ['a', null]
])('the key %s moves within the squares', (key, to) => {
  expect(moved([1, 2], key, 3, 3)).toEqual(to);
});

test('a move never leaves the squares', () => {
  for (const key of ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End']) {
    expect(moved([0, 0], key, 1, 1)).toEqual([0, 0]);
  }
});

describe('the calendar', () => {
  test('days stand below their weekday, in their week', () => {
    const days = ['2025-12-31', '2026-01-01', '2026-01-04', '2026-01-05'].map(name => place(name));
    const table = calendarTable(reply('day', days));
    expect(table.columns[0]).toBe('Mon');
    expect(table.rows.map(row => [row.label, row.places.map(one => one?.name.slice(-2) ?? '')])).toEqual([
      ['29 Dec', ['', '', '31', '01', '', '', '04']],
      ['5 Jan', ['05', '', '', '', '', '', '']]
    ]);
    expect(placeName(place('2026-01-05'), 'day')).toBe('5');
  });

  test('months stand in their half of the year, with their names', () => {
    const table = calendarTable(
      reply(
        'month',
        ['2025-12', '2026-01', '2026-07'].map(name => place(name))
      )
    );
    expect(table.columns).toEqual([]);
    expect(table.rows.map(row => [row.label, row.places.map(one => one?.name ?? '')])).toEqual([
      ['Jul–Dec 2025', ['', '', '', '', '', '2025-12']],
      ['Jan–Jun 2026', ['2026-01', '', '', '', '', '']],
      ['Jul–Dec 2026', ['2026-07', '', '', '', '', '']]
    ]);
    expect(placeName(place('2026-07'), 'month')).toBe('Jul');
  });

  test('a day says how its runs ended, and which intervals lack one', () => {
    const lacking = ['06', '07', '08', '09'].map(day => ({
      name: `2026-01-${day}`,
      state: 'missing' as const
    }));
    const full = place('2026-01-10', {
      runs: { completed: 3, failed: 1 },
      intervals: { missing: 4, done: 2 },
      lacking
    });
    expect(outcomesOf(full)).toEqual([
      ['failed', 1],
      ['completed', 3]
    ]);
    expect(placeLabel(full)).toBe(
      '2026-01-10: runs: 1 failed, 3 completed; 4 intervals missing: 2026-01-06, 2026-01-07, 2026-01-08 and 1 more; 2 intervals done'
    );
    expect(placeLabel(place('2026-01-11'))).toBe('2026-01-11: no runs');
  });

  test('a backfill may take what lacks, but for what runs', () => {
    const some = (name: string, state: 'missing' | 'failed' | 'running'): CalendarPlace =>
      place(name, { lacking: [{ name, state }] });
    const days = [place('1'), some('2', 'failed'), place('3'), some('4', 'missing'), some('5', 'running')];
    expect(lackingRange(reply('day', days))).toEqual(['2', '4']);
    expect(lackingRange(reply('day', [place('1'), some('2', 'running')]))).toBeNull();
  });
});
