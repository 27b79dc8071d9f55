/** A stage that is being added: what was filled in so far. */

import type { StageWiring } from '../wire';

export type Kind = 'inputs' | 'outputs' | 'params';
export const KINDS: readonly Kind[] = ['inputs', 'outputs', 'params'];

/** A parameter of the notebook, and what it gets. Without a name it is a path that the notebook names by itself. */
export interface Row {
  readonly kind: Kind;
  readonly name: string;
  readonly value: string;
}

export interface StageDraft {
  readonly name: string;
  /** The path of the notebook; empty for a new one. */
  readonly notebook: string;
  readonly rows: readonly Row[];
}

/** What the rows come to. Those that say nothing are left out. */
export function wiringOf(rows: readonly Row[]): StageWiring {
  const alone = (kind: Kind): string[] =>
    rows.filter(row => row.kind === kind && row.name === '' && row.value.trim() !== '').map(row => row.value);
  const of = (kind: Kind): Record<string, string> =>
    Object.fromEntries(
      rows.filter(row => row.kind === kind && row.name !== '').map(row => [row.name, row.value])
    );
  return {
    params: of('params'),
    inputs: of('inputs'),
    outputs: of('outputs'),
    reads: alone('inputs'),
    writes: alone('outputs')
  };
}

/** The rows of a wiring that the server proposes. */
export function rowsOf(wiring: StageWiring): Row[] {
  return KINDS.flatMap(kind => Object.entries(wiring[kind]).map(([name, value]) => ({ kind, name, value })));
}

/** The rows with what a notebook probably gets, in the place of what another one was proposed. What was typed stays. */
export function proposing(rows: readonly Row[], earlier: readonly Row[], proposal: readonly Row[]): Row[] {
  const typed = rows.filter(row => !earlier.includes(row));
  return [...typed, ...proposal.filter(row => typed.every(other => other.name !== row.name))];
}

/**
 * An input for an output of another stage, `stage.output`, with a name that no row has yet. `parameters` are those of the
 * notebook, null for a new one: where it lacks the name, it names the file by itself.
 */
export function inputFor(offer: string, rows: readonly Row[], parameters: readonly string[] | null): Row {
  const output = offer.slice(offer.lastIndexOf('.') + 1);
  if (parameters !== null && !parameters.includes(output)) {
    return { kind: 'inputs', name: '', value: offer };
  }
  const isTaken = rows.some(row => row.name === output);
  return { kind: 'inputs', name: isTaken ? offer.replace(/\W+/g, '_') : output, value: offer };
}

/** Whether two rows have the same name, or one says nothing yet: the server sees neither. */
export function isAmbiguous(row: Row, rows: readonly Row[]): boolean {
  return row.name === ''
    ? row.kind === 'params' || row.value.trim() === ''
    : rows.some(other => other !== row && other.name === row.name);
}

/** A name for a stage that runs a notebook. */
export function proposedName(notebook: string): string {
  const file = notebook.slice(notebook.lastIndexOf('/') + 1).replace(/\.[^.]*$/, '');
  return file.replace(/[^A-Za-z0-9_-]+/g, '_');
}

/** The outputs of other stages that may become an input, those of the stage `from` first. */
export function sourcesFor(offers: readonly string[], to: string, from: string | null): string[] {
  const others = offers.filter(offer => stageOf(offer) !== to);
  const own = others.filter(offer => stageOf(offer) === from);
  return [...own, ...others.filter(offer => !own.includes(offer))];
}

/** The parameter that an output probably becomes: that of its name, or else the first that is free. */
export function targetFor(source: string, free: readonly string[]): string {
  const output = source.slice(source.lastIndexOf('.') + 1);
  return free.includes(output) ? output : (free[0] ?? '');
}

function stageOf(offer: string): string {
  return offer.slice(0, offer.lastIndexOf('.'));
}
