/** The fields of the form for a run: one for each parameter, by its type, and one for the interval. */

import * as React from 'react';

import { fieldOf, NULL, textOf } from '../model/field';
import { INTERVAL } from '../services/requests';
import type { ParamInfo } from '../wire';
import type { Context } from './context';

/** What the run is about; by default the latest complete interval, which the plan names. */
export function IntervalField(props: { context: Context; set: (text: string) => void }): React.JSX.Element {
  const { planner } = props.context.store;
  const { trans } = props.context;
  const given = planner.draft.interval;
  const error = planner.fields[INTERVAL];
  const shown = React.useRef('');
  shown.current = given === '' ? (planner.plan?.interval ?? shown.current) : shown.current;
  return (
    <div className="sb-Field" data-given={given !== ''}>
      <label htmlFor="sb-interval" title="--interval">
        {trans.__('about')}
      </label>
      <span className="sb-FieldValue">
        <input
          id="sb-interval"
          className="sb-Input"
          type="text"
          spellCheck={false}
          autoComplete="off"
          aria-invalid={error !== undefined}
          aria-describedby={error ? 'sb-interval-help sb-interval-error' : 'sb-interval-help'}
          value={given || shown.current}
          onChange={event => props.set(event.target.value)}
        />
        <button
          type="button"
          className="sb-Reset"
          disabled={given === ''}
          title={trans.__('Back to the latest complete one')}
          aria-label={trans.__('Set the interval back to the latest complete one')}
          onClick={() => props.set('')}
        >
          ↺
        </button>
      </span>
      <small id="sb-interval-help" className="sb-Help">
        {given === ''
          ? trans.__('the latest complete one')
          : trans.__('a day 2026-01-05, a month 2026-01, an hour 2026-01-05T06, or START..END')}
      </small>
      {error && (
        <small id="sb-interval-error" className="sb-FieldError" role="alert">
          {error}
        </small>
      )}
    </div>
  );
}

/** One parameter. A text stays as it was typed, right or wrong, until it is set back. */
export function ParamField(props: {
  context: Context;
  param: ParamInfo;
  set: (text: string | null) => void;
}): React.JSX.Element {
  const { param } = props;
  const { store, trans } = props.context;
  const id = `sb-param-${param.name}`;
  const given = store.planner.draft.texts[param.name];
  const error = store.planner.fields[param.name];
  const described = [param.help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(' ');
  const common = {
    id,
    className: 'sb-Input',
    'aria-invalid': error !== undefined,
    'aria-required': param.required,
    ...(described && { 'aria-describedby': described })
  };
  return (
    <div className="sb-Field" data-given={given !== undefined}>
      <label htmlFor={id} title={param.type}>
        {param.name}
        {param.required && <span aria-hidden="true"> *</span>}
      </label>
      <span className="sb-FieldValue">
        <FieldInput context={props.context} param={param} common={common} set={props.set} />
        <button
          type="button"
          className="sb-Reset"
          disabled={given === undefined}
          title={trans.__('Back to the default')}
          aria-label={trans.__('Set %1 back to its default', param.name)}
          onClick={() => props.set(null)}
        >
          ↺
        </button>
      </span>
      {param.help && (
        <small id={`${id}-help`} className="sb-Help">
          {param.help}
        </small>
      )}
      {error && (
        <small id={`${id}-error`} className="sb-FieldError" role="alert">
          {error}
        </small>
      )}
    </div>
  );
}

function FieldInput(props: {
  context: Context;
  param: ParamInfo;
  set: (text: string | null) => void;
  common: React.InputHTMLAttributes<HTMLInputElement> & React.SelectHTMLAttributes<HTMLSelectElement>;
}): React.JSX.Element {
  const { param, common } = props;
  const { draft } = props.context.store.planner;
  const field = fieldOf(param, draft.texts[param.name] ?? param.text, draft.sweep);
  const set = (typed: string): void => props.set(textOf(param, field, typed));
  switch (field.kind) {
    case 'checkbox':
      return (
        <input
          {...common}
          className="sb-CheckField"
          type="checkbox"
          checked={field.checked}
          onChange={event => set(String(event.target.checked))}
        />
      );
    case 'select':
      return (
        <select {...common} value={field.value} onChange={event => set(event.target.value)}>
          {field.choices.map(choice => (
            <option key={choice} value={choice}>
              {choice === NULL ? '–' : choice}
            </option>
          ))}
        </select>
      );
    case 'text':
      return (
        <input
          {...common}
          type="text"
          spellCheck={false}
          autoComplete="off"
          placeholder={field.placeholder}
          value={field.value}
          onChange={event => set(event.target.value)}
        />
      );
    default:
      return (
        <input
          {...common}
          type={field.kind}
          step={field.kind === 'number' ? field.step : undefined}
          value={field.value}
          onChange={event => set(event.target.value)}
        />
      );
  }
}
