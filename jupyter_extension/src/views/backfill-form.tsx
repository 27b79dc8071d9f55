/** The form for a backfill, and the plan of it. */

import * as React from 'react';

import { plural } from '../model/format';
import { type BackfillDraft, type BackfillTarget, WHICH } from '../model/backfill-request';
import { backfills, type Where } from '../services/operations';
import type { BackfillPlanReply, BackfillState, PipelineInfo } from '../wire';
import type { Context } from './context';
import { useAnswer } from './hooks';

interface FormProps {
  readonly context: Context;
  readonly target: BackfillTarget;
  readonly pipeline: PipelineInfo;
  readonly where: Where;
  /** From where to where intervals are known to lack something. */
  readonly range: readonly [string, string] | null;
  /** It began. */
  readonly begun: () => void;
}

export function BackfillForm(props: FormProps): React.JSX.Element {
  const { context, target, pipeline, range } = props;
  const { store, trans } = context;
  const desk = store.backfills;
  const { draft, plan, problem, busy } = desk;
  const [, redraw] = React.useReducer((count: number) => count + 1, 0);
  const known = useAnswer(() => backfills(store.api, props.where), [props.where]);
  // Drawn at once, not with the next frame: React sets a field back to its old value until it is drawn.
  const change = (patch: Partial<BackfillDraft>): void => {
    desk.change(patch);
    redraw();
  };
  const fields = problem?.fields ?? {};
  return (
    <form
      className="sb-Form sb-Backfill"
      aria-label={trans.__('Backfill')}
      onSubmit={event => {
        event.preventDefault();
        void desk.ask(target);
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          desk.show(false);
        }
      }}
    >
      <h2>{trans.__('Run %1 for intervals of the past', pipeline.name)}</h2>
      <div className="sb-Fields">
        <TextField
          id="start"
          label={trans.__('From')}
          value={draft.start}
          placeholder={range?.[0] ?? '2026-01-01'}
          error={fields['start']}
          change={start => change({ start })}
        />
        <TextField
          id="end"
          label={trans.__('To')}
          value={draft.end}
          placeholder={range?.[1] ?? '2026-01-31'}
          error={fields['end']}
          change={end => change({ end })}
        />
        <div className="sb-Field">
          <label htmlFor="sb-backfill-every">{trans.__('Each')}</label>
          <select
            id="sb-backfill-every"
            className="sb-Select"
            aria-invalid={fields['every'] !== undefined}
            aria-describedby={fields['every'] ? 'sb-backfill-every-error' : undefined}
            value={draft.every}
            onChange={event => change({ every: event.target.value })}
          >
            <option value="">
              {known.value?.every
                ? trans.__('%1, by its schedule', known.value.every)
                : trans.__('as its schedule says')}
            </option>
            {(known.value?.units ?? []).map(unit => (
              <option key={unit} value={unit}>
                {unit}
              </option>
            ))}
          </select>
          <FieldError id="every" error={fields['every']} />
        </div>
        <TextField
          id="parallel"
          label={trans.__('At a time')}
          value={draft.parallel}
          placeholder="1"
          error={fields['parallel']}
          change={parallel => change({ parallel })}
        />
      </div>
      {range !== null && (draft.start !== range[0] || draft.end !== range[1]) && (
        <p>
          <button
            type="button"
            className="sb-Link"
            onClick={() => change({ start: range[0], end: range[1] })}
          >
            {trans.__('Take what the calendar lacks: %1 … %2', range[0], range[1])}
          </button>
        </p>
      )}
      <Choices context={context} draft={draft} pipeline={pipeline} change={change} />
      {problem !== null && Object.keys(fields).length === 0 && (
        <p className="sb-FieldError" role="alert">
          {problem.message} {problem.hint}
          {problem.problems.slice(0, 3).map(one => (
            <span key={one.message} className="sb-Below">
              {one.path}: {one.message}
            </span>
          ))}
        </p>
      )}
      <div className="sb-Buttons">
        <button type="submit" className="sb-Button" disabled={busy !== null}>
          {busy === 'planning' ? trans.__('Planning …') : trans.__('Plan')}
        </button>
        <button
          type="button"
          className="sb-Button sb-mod-accept"
          disabled={busy !== null || plan === null || plan.count === 0}
          onClick={() => {
            void desk.start(target).then(begun => begun && props.begun());
          }}
        >
          <span aria-hidden="true">▶</span>{' '}
          {busy === 'starting'
            ? trans.__('Starting …')
            : plan === null
              ? trans.__('Start')
              : trans.__('Start: %1', plural(plan.count, 'interval'))}
        </button>
        <button type="button" className="sb-Button" onClick={() => desk.show(false)}>
          {trans.__('Close')}
        </button>
        <span className="sb-Help" role="status">
          {plan === null && busy === null && trans.__('It is planned first, and starts after that.')}
        </span>
      </div>
      {plan !== null && <PlanTable context={context} plan={plan} />}
    </form>
  );
}

function TextField(props: {
  id: string;
  label: string;
  value: string;
  placeholder: string;
  error: string | undefined;
  change: (text: string) => void;
}): React.JSX.Element {
  const id = `sb-backfill-${props.id}`;
  return (
    <div className="sb-Field">
      <label htmlFor={id}>{props.label}</label>
      <input
        id={id}
        className="sb-Input"
        type="text"
        spellCheck={false}
        autoComplete="off"
        placeholder={props.placeholder}
        aria-invalid={props.error !== undefined}
        aria-describedby={props.error ? `${id}-error` : undefined}
        value={props.value}
        onChange={event => props.change(event.target.value)}
      />
      <FieldError id={props.id} error={props.error} />
    </div>
  );
}

function FieldError(props: { id: string; error: string | undefined }): React.JSX.Element | null {
  return props.error === undefined ? null : (
    <small id={`sb-backfill-${props.id}-error`} className="sb-FieldError" role="alert">
      {props.error}
    </small>
  );
}

/** Which intervals, which stages, and in which order. */
function Choices(props: {
  context: Context;
  draft: BackfillDraft;
  pipeline: PipelineInfo;
  change: (patch: Partial<BackfillDraft>) => void;
}): React.JSX.Element {
  const { draft, pipeline, change } = props;
  const { trans } = props.context;
  const texts: Readonly<Record<BackfillState, string>> = {
    missing: trans.__('missing: no run completed'),
    failed: trans.__('failed: the last run did'),
    changed: trans.__('changed: it would come to something else today')
  };
  const toggled = <T,>(list: readonly T[], item: T): readonly T[] =>
    list.includes(item) ? list.filter(one => one !== item) : [...list, item];
  return (
    <>
      <fieldset>
        <legend>{trans.__('Which intervals')}</legend>
        {WHICH.map(state => (
          <label key={state} className="sb-Option">
            <input
              type="checkbox"
              checked={draft.which.includes(state)}
              disabled={draft.which.length === 1 && draft.which.includes(state)}
              onChange={() => change({ which: toggled(draft.which, state) })}
            />
            <span>{texts[state]}</span>
          </label>
        ))}
        <label className="sb-Option">
          <input
            type="checkbox"
            checked={draft.newestFirst}
            onChange={event => change({ newestFirst: event.target.checked })}
          />
          <span>{trans.__('the newest first')}</span>
        </label>
      </fieldset>
      <details open={draft.stages.length > 0 || undefined}>
        <summary>
          {draft.stages.length === 0
            ? trans.__('Stages: all')
            : trans.__('Stages: %1, and what they depend on', draft.stages.join(', '))}
        </summary>
        {pipeline.stages.map(stage => (
          <label key={stage.name} className="sb-Option">
            <input
              type="checkbox"
              checked={draft.stages.includes(stage.name)}
              onChange={() => change({ stages: toggled(draft.stages, stage.name) })}
            />
            <span>{stage.name}</span>
          </label>
        ))}
      </details>
    </>
  );
}

/** The plan, in the columns of the terminal. */
function PlanTable(props: { context: Context; plan: BackfillPlanReply }): React.JSX.Element {
  const { plan } = props;
  const { trans } = props.context;
  return (
    <div className="sb-Plan">
      <table aria-label={trans.__('The plan of the backfill')}>
        <thead>
          <tr>
            <th>{trans.__('intervals')}</th>
            <th>{trans.__('number')}</th>
            <th>{trans.__('state')}</th>
            <th>{trans.__('stages')}</th>
            <th>{trans.__('time')}</th>
            <th>{trans.__('why')}</th>
          </tr>
        </thead>
        <tbody>
          {plan.rows.map(row => (
            <tr key={row.intervals} data-dim={!row.is_chosen}>
              <td>{row.intervals}</td>
              <td>{row.number}</td>
              <td>{row.state}</td>
              <td>{row.stages}</td>
              <td>{row.time}</td>
              <td>{row.why}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {plan.more > 0 && <p className="sb-Help">{trans.__('… and %1', plural(plan.more, 'more row'))}</p>}
      <div role="status">
        {plan.lines.map(line => (
          <p key={line}>{line}</p>
        ))}
      </div>
      <p className="sb-Help">
        {trans.__('The same in a terminal:')} <code>{plan.command}</code>
      </p>
    </div>
  );
}
