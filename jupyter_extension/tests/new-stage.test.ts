import { describe, expect, it } from 'vitest';

import {
  inputFor,
  isAmbiguous,
  proposedName,
  proposing,
  type Row,
  rowsOf,
  sourcesFor,
  targetFor,
  wiringOf
} from '../src/model/new-stage';

const row = (kind: Row['kind'], name: string, value = 'x'): Row => ({ kind, name, value });

describe('a stage that is being added', () => {
  it('has rows that come to what the server is asked for, and back', () => {
    const rows = [row('inputs', 'a', 's.a'), row('outputs', 'b', 'data/b'), row('params', 'c', '3')];
    const wiring = { inputs: { a: 's.a' }, outputs: { b: 'data/b' }, params: { c: '3' } };
    expect(wiringOf([...rows, row('inputs', '')])).toEqual(wiring);
    expect(rowsOf(wiring)).toEqual(rows);
  });

  it('names an input after the output, unless the name is taken', () => {
    expect(inputFor('clean.flights', [])).toEqual(row('inputs', 'flights', 'clean.flights'));
    expect(inputFor('clean.flights', [row('outputs', 'flights')]).name).toBe('clean_flights');
  });

  it('tells rows without a name and with the same one', () => {
    const rows = [row('inputs', 'a'), row('params', 'a'), row('params', ''), row('params', 'b')];
    expect(rows.map(one => isAmbiguous(one, rows))).toEqual([true, true, true, false]);
  });

  it('proposes names', () => {
    expect(proposedName('notebooks/more/Fit it (2).ipynb')).toBe('Fit_it_2_');
    expect(proposedName('')).toBe('');
    expect(targetFor('clean.flights', ['x', 'flights'])).toBe('flights');
    expect(targetFor('clean.flights', ['x'])).toBe('x');
    expect(targetFor('clean.flights', [])).toBe('');
  });

  it('keeps what was typed when another notebook is chosen, and takes back what the first one was proposed', () => {
    const [typed, first] = [row('outputs', 'mean'), row('inputs', 'table', 'load.table')];
    const shown = proposing([typed], [], [first, row('outputs', 'mean', 'other')]);
    expect(shown).toEqual([typed, first]);
    const edited = { ...first, value: 'data/own.csv' };
    expect(proposing([typed, first], [first], [row('params', 'depth')])).toEqual([
      typed,
      row('params', 'depth')
    ]);
    expect(proposing([typed, edited], [first], [])).toEqual([typed, edited]);
  });

  it('offers the outputs of others, those of the stage where a line begins first', () => {
    expect(sourcesFor(['a.x', 'b.y', 'c.z', 'b.w'], 'a', 'b')).toEqual(['b.y', 'b.w', 'c.z']);
    expect(sourcesFor(['a.x', 'b.y'], 'a', null)).toEqual(['b.y']);
  });
});
