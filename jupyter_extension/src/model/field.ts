/** The field that edits a parameter, and what is typed into it as `-p` takes it. */

import type { ParamInfo } from '../wire';

/** `value` is what the field shows; the other kinds of `number` and `date` fields have the values of HTML. */
export type Field =
  | { readonly kind: 'checkbox'; readonly checked: boolean }
  | { readonly kind: 'select'; readonly value: string; readonly choices: readonly string[] }
  | { readonly kind: 'number'; readonly value: string; readonly step: '1' | 'any' }
  | { readonly kind: 'date' | 'datetime-local'; readonly value: string }
  | { readonly kind: 'text'; readonly value: string; readonly placeholder: string };

/** The text that stands for no value. */
export const NULL = 'null';

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const DATETIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * The field for a parameter that has a text. In a sweep, and where a text does not fit into the field of its kind, it is one
 * for texts: nothing that was typed is hidden.
 */
export function fieldOf(param: ParamInfo, text: string, isSweep: boolean): Field {
  const isList = param.kind === 'yaml' && /^(list|tuple|set)\b/.test(param.type);
  const plain = { kind: 'text', value: text, placeholder: placeholderOf(param, isSweep || isList) } as const;
  if (isSweep) {
    return plain;
  }
  const choices = param.kind === 'bool' ? ['true', 'false'] : param.choices;
  if (param.kind === 'bool' && !param.optional && !param.required) {
    return choices.includes(text) ? { kind: 'checkbox', checked: text === 'true' } : plain;
  }
  if (choices.length > 0) {
    const all = [...choices, ...(param.optional ? [NULL] : [])];
    return { kind: 'select', value: text, choices: all.includes(text) ? all : [text, ...all] };
  }
  const value = param.optional && text === NULL ? '' : text;
  switch (param.kind) {
    case 'int':
    case 'float': {
      const step = param.kind === 'int' ? '1' : 'any';
      return value === '' || NUMBER.test(value) ? { kind: 'number', value, step } : plain;
    }
    case 'date':
      return value === '' || DATE.test(value) ? { kind: 'date', value } : plain;
    case 'datetime':
      return value === '' || DATETIME.test(value) ? { kind: 'datetime-local', value } : plain;
    default:
      return plain;
  }
}

/** What was typed into a field as `-p` takes it; null where that is the default. */
export function textOf(param: ParamInfo, field: Field, typed: string): string | null {
  const isEmpty = typed === '' && field.kind !== 'text' && field.kind !== 'select';
  const text = isEmpty && param.optional ? NULL : typed;
  return text === param.text && !param.required ? null : text;
}

function placeholderOf(param: ParamInfo, isList: boolean): string {
  return isList ? `[…, …]` : param.type;
}
