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
    const wiring = {
      inputs: { a: 's.a' },
      outputs: { b: 'data/b' },
      params: { c: '3' },
      reads: [],
      writes: []
    };
    expect(wiringOf([...rows, row('inputs', '', ' '), row('params', '')])).toEqual(wiring);
    expect(rowsOf(wiring)).toEqual(rows);
    const alone = [
      row('inputs', '', 'data/raw/*.csv'),
      row('inputs', '', 's.b'),
      row('outputs', '', 'data/x')
    ];
    const named = { reads: ['data/raw/*.csv', 's.b'], writes: ['data/x'] };
    expect(wiringOf([...rows, ...alone])).toEqual({ ...wiring, ...named });
  });

  it('names an input after the output, unless the name is taken', () => {
    expect(inputFor('clean.flights', [], null)).toEqual(row('inputs', 'flights', 'clean.flights'));
    expect(inputFor('clean.flights', [row('outputs', 'flights')], null).name).toBe('clean_flights');
    expect(inputFor('clean.flights', [], ['flights']).name).toBe('flights');
  });

  it('passes no input to a notebook that has no parameter of its name', () => {
    expect(inputFor('clean.flights', [], ['year'])).toEqual(row('inputs', '', 'clean.flights'));
  });

  it('tells rows with the same name, and those that say nothing yet', () => {
    const rows = [
      row('inputs', 'a'),
      row('params', 'a'),
      row('params', ''),
      row('params', 'b'),
      row('inputs', ''),
      row('outputs', '', '')
    ];
    expect(rows.map(one => isAmbiguous(one, rows))).toEqual([true, true, true, false, false, true]);
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
