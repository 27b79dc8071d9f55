/** What the editor of a pipeline file offers: keys, values and references, and the meaning of a key. */

import { type Place, placeAt } from './yaml-place';

/** A part of a JSON Schema, as far as it is used here. */
export interface Schema {
  readonly description?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly $ref?: string;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly $defs?: Readonly<Record<string, Schema>>;
}

/** The names in a file that others may refer to. */
export interface Names {
  readonly stages: readonly string[];
  readonly offers: readonly string[];
  readonly params: readonly string[];
}

export interface Offer {
  readonly label: string;
  readonly detail: string;
  /** What stands there once it was chosen. */
  readonly apply: string;
}

export interface Offers {
  /** Where in the line that begins which an offer takes the place of. */
  readonly from: number;
  readonly offers: readonly Offer[];
}

/** What may stand at a column of a line, which count from 0. */
export function offersAt(
  schema: Schema,
  names: Names,
  lines: readonly string[],
  line: number,
  column: number
): Offers {
  const place = placeAt(lines, line, column);
  const expression = place.word.lastIndexOf('${');
  if (expression >= 0 && !place.word.slice(expression).includes('}')) {
    const params = names.params.map(name => ({
      label: `\${params.${name}}`,
      detail: '',
      apply: `\${params.${name}}`
    }));
    const isClosed = (lines[line] ?? '')[column] === '}';
    const offers = isClosed ? params.map(one => ({ ...one, apply: one.apply.slice(0, -1) })) : params;
    return { from: place.from + expression, offers };
  }
  return {
    from: place.from,
    offers: place.key === null ? keysAt(schema, place) : valuesAt(schema, names, place)
  };
}

/** The meaning of the key at a column of a line; null where there is none. */
export function meaningAt(
  schema: Schema,
  lines: readonly string[],
  line: number,
  column: number
): string | null {
  const text = lines[line] ?? '';
  const word = wordAt(text, column);
  if (word === null || !/^\s*:/.test(text.slice(word.to).replace(/^["']/, ''))) {
    return null;
  }
  const place = placeAt(lines, line, word.from);
  return place.key === null ? (part(schema, [...place.path, word.text])?.description ?? null) : null;
}

/** The word around a column of a line. */
export function wordAt(text: string, column: number): { from: number; to: number; text: string } | null {
  let [from, to] = [column, column];
  while (from > 0 && /[\w-]/.test(text[from - 1] ?? '')) {
    from -= 1;
  }
  while (to < text.length && /[\w-]/.test(text[to] ?? '')) {
    to += 1;
  }
  return from === to ? null : { from, to, text: text.slice(from, to) };
}

function keysAt(schema: Schema, place: Place): Offer[] {
  const found = mapping(schema, part(schema, place.path))?.properties ?? {};
  return Object.entries(found).map(([label, own]) => ({
    label,
    detail: own.description ?? '',
    apply: `${label}: `
  }));
}

function valuesAt(schema: Schema, names: Names, { path, key }: Place): Offer[] {
  const plain = (label: string): Offer => ({ label, detail: '', apply: label });
  const [room, stage, group] = path;
  if (room === 'stages' && group === 'inputs') {
    return names.offers.filter(offer => !offer.startsWith(`${stage ?? ''}.`)).map(plain);
  }
  if (room === 'stages' && path.length === 2 && key === 'after') {
    return names.stages.filter(name => name !== stage).map(plain);
  }
  const own = part(schema, [...path, key ?? '']);
  const kinds = own === null ? [] : [own, ...(own.anyOf ?? [])].map(one => resolved(schema, one));
  const values = kinds.flatMap(kind => kind.enum ?? (kind.type === 'boolean' ? [true, false] : []));
  return values.map(value => plain(String(value)));
}

/** The part of the schema at a path; null where anything may be. */
function part(schema: Schema, path: readonly string[]): Schema | null {
  let here: Schema | null = schema;
  for (const key of path) {
    const inner: Schema | null = mapping(schema, here);
    const more: Schema | boolean | undefined = inner?.properties?.[key] ?? inner?.additionalProperties;
    if (typeof more !== 'object') {
      return null;
    }
    here = more;
  }
  return here;
}

/** That of the kinds of a value which is a mapping. */
function mapping(schema: Schema, here: Schema | null): Schema | null {
  if (here === null) {
    return null;
  }
  const kinds = [here, ...(here.anyOf ?? [])].map(one => resolved(schema, one));
  return (
    kinds.find(kind => kind.properties !== undefined || typeof kind.additionalProperties === 'object') ?? null
  );
}

function resolved(schema: Schema, one: Schema): Schema {
  const name = one.$ref?.split('/').at(-1);
  return (name === undefined ? undefined : schema.$defs?.[name]) ?? one;
}
