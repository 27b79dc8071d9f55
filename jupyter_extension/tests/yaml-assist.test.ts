import { describe, expect, it } from 'vitest';

import schemaOfFile from '../../docs/reference/pipeline.schema.json';
import { meaningAt, offersAt, type Schema } from '../src/model/yaml-assist';
import { placeAt } from '../src/model/yaml-place';

const SCHEMA = schemaOfFile as unknown as Schema;
const NAMES = { stages: ['load', 'clean'], offers: ['load.raw', 'clean.flights'], params: ['days', 'seed'] };

/** The place of `|` in a text, and the text without it. */
function at(text: string): [string[], number, number] {
  const before = text.slice(0, text.indexOf('|')).split('\n');
  return [text.replace('|', '').split('\n'), before.length - 1, before.at(-1)?.length ?? 0];
}

const offers = (text: string): string[] => offersAt(SCHEMA, NAMES, ...at(text)).offers.map(one => one.label);

describe('the place in a pipeline file', () => {
  it.each([
    ['na|', [], null, 'na'],
    ['stages:\n  load:\n    note|', ['stages', 'load'], null, 'note'],
    ['stages:\n  load:\n    a: 1\n\n  # x\n    |', ['stages', 'load'], null, ''],
    ['stages:\n  load:\n    a: 1\n  |', ['stages'], null, ''],
    ['stages:\n  load: {notebook: a.ipynb, in|', ['stages', 'load'], null, 'in'],
    ['stages:\n  load: {inputs: {x: cl|', ['stages', 'load', 'inputs'], 'x', 'cl'],
    ['stages:\n  load: {inputs: {x: "a, {b"}, after: [a, cl|', ['stages', 'load'], 'after', 'cl'],
    ['stages:\n  load: {params: {a: "${x}"}, |', ['stages', 'load'], null, ''],
    ['stages:\n  load:\n    after:\n      - cl|', ['stages', 'load'], 'after', 'cl'],
    ['stages:\n  load:\n    kernel: py|', ['stages', 'load'], 'kernel', 'py']
  ])('is known by indents and braces: %j', (text, path, key, word) => {
    expect(placeAt(...at(text))).toMatchObject({ path, key, word });
  });
});

describe('what is offered', () => {
  it('are the keys of the level', () => {
    expect(offers('|')).toEqual(['name', 'description', 'params', 'defaults', 'schedules', 'stages']);
    expect(offers('stages:\n  load:\n    |')).toContain('matrix');
    expect(offers('stages:\n  load:\n    outputs:\n      x:\n        |')).toContain('partition_by');
    expect(offers('schedules:\n  daily: {|')).toContain('cron');
    expect(offers('stages:\n  |')).toEqual([]);
  });

  it('are references where a stage reads', () => {
    expect(offers('stages:\n  clean:\n    inputs:\n      x: |')).toEqual(['load.raw']);
    expect(offers('stages:\n  fit:\n    inputs: {x: [load.raw, |')).toEqual(['load.raw', 'clean.flights']);
    expect(offers('stages:\n  load:\n    after: [|')).toEqual(['clean']);
  });

  it('are the values of a key', () => {
    expect(offers('stages:\n  load:\n    executor: |')).toEqual(['kernel', 'inprocess']);
    expect(offers('stages:\n  load:\n    frozen: |')).toEqual(['true', 'false']);
    expect(offers('stages:\n  load:\n    kernel: |')).toEqual([]);
  });

  it('are parameters in an expression, which is closed once', () => {
    const found = offersAt(SCHEMA, NAMES, ...at('stages:\n  load:\n    params: {days: "${par|"}'));
    expect(found).toMatchObject({
      from: 20,
      offers: [{ apply: '${params.days}' }, { apply: '${params.seed}' }]
    });
    const closed = offersAt(SCHEMA, NAMES, ...at('stages:\n  load:\n    params: {days: "${|}"}'));
    expect(closed.offers[0]?.apply).toBe('${params.days');
  });
});

describe('the meaning of a key', () => {
  it('is told at any of its letters, and for no value', () => {
    expect(meaningAt(SCHEMA, ...at('stages:\n  load:\n    retr|ies: 3'))).toMatch(/^How often the stage/);
    expect(meaningAt(SCHEMA, ...at('stages:\n  load: {note|book: a.ipynb}'))).toMatch(/^The notebook/);
    expect(meaningAt(SCHEMA, ...at('defaults: {retries: 3, time|out: 3m}'))).toMatch(/^The longest/);
    expect(meaningAt(SCHEMA, ...at('stages:\n  load:\n    kernel: note|book'))).toBeNull();
    expect(meaningAt(SCHEMA, ...at('stages:\n  re|tries:\n    kernel: x'))).toBeNull();
    expect(meaningAt(SCHEMA, ...at('stages:  |'))).toBeNull();
  });
});
