/** The form for a run: parameters by their types, stages, options, and what the run would do. */

import * as React from 'react';

import type { Context } from './context';
import { isIncomplete, type RunDraft, type Scope } from '../model/run-request';
import { plural } from '../model/format';
import { INTERVAL } from '../services/requests';
import { DecisionSign } from './parts';
import type { ParamInfo, PlanReply } from '../wire';

const SHOWN = 40; // stages of a preview
const MISTAKES = 5; // of a preview

export function RunForm(props: { context: Context }): React.JSX.Element | null {
  const { context } = props;
  const [, redraw] = React.useReducer((count: number) => count + 1, 0);
  const { store, launcher, actions, trans } = context;
  const { pipeline, planner } = store;
  const { draft } = planner;
  if (!planner.isFormOpen || pipeline === null) {
    return null;
  }
  // Drawn at once, not with the next frame: React sets a field back to its old value until it is drawn.
  const change = (patch: Partial<RunDraft>): void => {
    planner.change(patch);
    redraw();
  };
  const wrong = Object.keys(planner.fields).length;
  const options = [
    { key: 'force', flag: '--force', text: trans.__('Although nothing changed') },
    { key: 'keepGoing', flag: '--keep-going', text: trans.__('Go on after a failure') },
    { key: 'keepKernel', flag: '--keep-kernel', text: trans.__('Keep the kernel of a stage that fails') },
    { key: 'sweep', flag: '--sweep', text: trans.__('A run for each of several values, such as [2, 4, 8]') }
  ] as const;
  return (
    <form
      className="sb-Form"
      aria-label={trans.__('What to run')}
      onSubmit={event => {
        event.preventDefault();
        actions.runDraft();
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          planner.showForm(false);
        }
      }}
    >
      {pipeline.params.length > 0 && (
        <fieldset>
          <legend>{trans.__('Parameters')}</legend>
          {pipeline.params.map(param => (
            <Field
              key={param.name}
              context={context}
              param={param}
              set={text => {
                planner.setText(param.name, text);
                redraw();
              }}
            />
          ))}
        </fieldset>
      )}
      {pipeline.takes_interval && (
        <fieldset>
          <legend>{trans.__('Interval')}</legend>
          <IntervalField context={context} set={interval => change({ interval })} />
        </fieldset>
      )}
      <fieldset>
        <legend>{trans.__('Stages')}</legend>
        <select
          className="sb-Select"
          aria-label={trans.__('Which stages')}
          value={draft.scope}
          onChange={event => change({ scope: event.target.value as Scope })}
        >
          <option value="all">{trans.__('All stages')}</option>
          <option value="to">{trans.__('The chosen ones, and what they depend on')}</option>
          <option value="from">{trans.__('The chosen ones, and what depends on them')}</option>
          <option value="only">{trans.__('The chosen ones alone')}</option>
        </select>
        {draft.scope !== 'all' && (
          <p className="sb-Chosen">
            {draft.stages.length === 0
              ? trans.__('Choose stages in the list: with Ctrl and a click, or the space bar.')
              : draft.stages.map(stage => (
                  <button
                    key={stage}
                    type="button"
                    className="sb-Chip"
                    title={trans.__('Leave it out')}
                    onClick={() => planner.toggle(stage)}
                  >
                    {stage} <span aria-hidden="true">×</span>
                  </button>
                ))}
          </p>
        )}
      </fieldset>
      <details open={draft.force || draft.keepGoing || draft.keepKernel || draft.sweep || undefined}>
        <summary>{trans.__('Options')}</summary>
        {options.map(({ key, flag, text }) => (
          <label key={key} className="sb-Option" title={flag}>
            <input
              type="checkbox"
              checked={draft[key]}
              onChange={event => change({ [key]: event.target.checked })}
            />
            <span>{text}</span>
          </label>
        ))}
      </details>
      <Preview context={context} />
      <div className="sb-Buttons">
        <button
          type="submit"
          className="sb-Button sb-mod-accept"
          disabled={!launcher.canStart || isIncomplete(draft) || planner.previewProblem !== null}
        >
          <span aria-hidden="true">▶</span> {draft.sweep ? trans.__('Start the sweep') : trans.__('Start')}
        </button>
        <button type="button" className="sb-Button" onClick={() => planner.showForm(false)}>
          {trans.__('Close')}
        </button>
        {wrong > 0 && (
          <span className="sb-FieldError" role="status">
            {trans.__('%1 to correct', plural(wrong, INTERVAL in planner.fields ? 'field' : 'parameter'))}
          </span>
        )}
      </div>
    </form>
  );
}

/** What the run is about; by default the latest complete interval, which the plan names. */
function IntervalField(props: { context: Context; set: (text: string) => void }): React.JSX.Element {
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
function Field(props: {
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
  const { store } = props.context;
  const value = store.planner.draft.texts[param.name] ?? param.text;
  const set = (text: string): void => {
    const isDefault = text === param.text && !param.required;
    props.set(isDefault ? null : text);
  };
  const choices = param.kind === 'bool' ? ['true', 'false'] : param.choices;
  if (choices.length > 0 && !store.planner.draft.sweep) {
    const all = [...choices, ...(param.optional ? ['null'] : [])];
    return (
      <select {...common} value={value} onChange={event => set(event.target.value)}>
        {!all.includes(value) && <option value={value}>{value}</option>}
        {all.map(choice => (
          <option key={choice} value={choice}>
            {choice === 'null' ? '–' : choice}
          </option>
        ))}
      </select>
    );
  }
  const isNumber = (param.kind === 'int' || param.kind === 'float') && !store.planner.draft.sweep;
  return (
    <input
      {...common}
      type="text"
      inputMode={isNumber ? 'decimal' : 'text'}
      spellCheck={false}
      autoComplete="off"
      placeholder={param.kind === 'date' ? '2013-01-31' : param.type}
      value={value}
      onChange={event => set(event.target.value)}
    />
  );
}

/** The decision for each stage, and its reason. */
function Preview(props: { context: Context }): React.JSX.Element {
  const { store, trans } = props.context;
  const { draft, preview, previewProblem } = store.planner;
  if (previewProblem !== null) {
    return (
      <div className="sb-Preview" role="alert">
        <p className="sb-FieldError">
          {previewProblem.message} {previewProblem.hint}
        </p>
        {previewProblem.problems.slice(0, MISTAKES).map(problem => (
          <p key={problem.message} className="sb-Help">
            {problem.message}
          </p>
        ))}
        {previewProblem.problems.length > MISTAKES && (
          <p className="sb-Help">{plural(previewProblem.problems.length - MISTAKES, 'more problem')}</p>
        )}
      </div>
    );
  }
  if (preview === null) {
    return <p className="sb-Preview sb-Help">{isIncomplete(draft) ? '' : '…'}</p>;
  }
  const shown = preview.stages.filter(stage => stage.decision !== 'SKIP');
  return (
    <div className="sb-Preview" role="status">
      <p>{summary(preview) || trans.__('The pipeline has no stages.')}</p>
      <ul>
        {shown.slice(0, SHOWN).map(stage => (
          <li key={stage.id} title={stage.reasons.join('\n')}>
            <DecisionSign decision={stage.decision} restores={stage.restores.length > 0} /> {stage.id}{' '}
            <span className="sb-Help">{stage.reasons[0] ?? ''}</span>
          </li>
        ))}
      </ul>
      {shown.length > SHOWN && <p className="sb-Help">{plural(shown.length - SHOWN, 'more stage')}</p>}
    </div>
  );
}

/** Such as `2 would run, 3 up to date, 1 waits`. */
function summary(plan: PlanReply): string {
  return DECISIONS.flatMap(({ decision, one, many }) => {
    const count = plan.stages.filter(stage => stage.decision === decision).length;
    return count > 0 ? [`${count} ${count === 1 ? one : many}`] : [];
  }).join(', ');
}

const DECISIONS = [
  { decision: 'RUN', one: 'would run', many: 'would run' },
  { decision: 'REUSE', one: 'up to date', many: 'up to date' },
  { decision: 'AUDIT', one: 'audits again', many: 'audit again' },
  { decision: 'WAIT', one: 'waits', many: 'wait' },
  { decision: 'SKIP', one: 'skipped', many: 'skipped' }
] as const;
