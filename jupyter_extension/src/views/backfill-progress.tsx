/** How far backfills are: the one that goes on, or else the latest one, and what can be done about it. */

import * as React from 'react';

import { ago, plural } from '../model/format';
import { actOnBackfill, backfills, type Where } from '../services/operations';
import type { BackfillAction, BackfillInfo } from '../wire';
import type { Context } from './context';
import { useAnswer, useNow } from './hooks';
import { Status, useWork } from './operation-parts';
import { Glyph } from './parts';

const RECENT = 24 * 3600; // seconds for which one that is over is shown

export function Backfills(props: {
  context: Context;
  where: Where;
  /** Read again when it changes. */
  round: unknown;
  again: () => void;
}): React.JSX.Element | null {
  const { context, where } = props;
  const { store, trans } = context;
  const answer = useAnswer(
    () => (where.pipeline === '' ? null : backfills(store.api, where)),
    [where, props.round]
  );
  const { work, doing } = useWork(props.again);
  const now = useNow(30);
  const one = answer.value?.backfills[0];
  const isShown = one !== undefined && (one.ended === null || now - one.ended < RECENT);
  if (answer.error) {
    return <p className="sb-FieldError">{answer.error}</p>;
  }
  if (!isShown) {
    return null;
  }
  const act = (action: BackfillAction, done: string): void =>
    work(done, () => actOnBackfill(store.api, where, one.id, action));
  return (
    <section aria-label={trans.__('Backfill')} className="sb-BackfillNow">
      <h2>
        <Glyph state={one.status} /> {trans.__('Backfill %1: %2', spanOf(one), one.status)}
      </h2>
      <p className="sb-Help">
        {trans.__('started by %1', one.by || trans.__('somebody'))}, {ago(one.started, now)} · {one.id}
      </p>
      <Bar context={context} one={one} />
      <p role="status">{countsOf(one).join(', ')}</p>
      {one.current.length > 0 && <p>{trans.__('Now: %1', one.current.join(', '))}</p>}
      <Failed context={context} one={one} />
      <div className="sb-Buttons">
        {one.ended === null && (
          <button
            className="sb-Button sb-mod-warn"
            disabled={doing.busy}
            onClick={() => act('cancel', trans.__('It was asked to stop.'))}
          >
            <span aria-hidden="true">■</span> {trans.__('Cancel the backfill')}
          </button>
        )}
        {one.ended !== null && one.status !== 'completed' && (
          <>
            <button
              className="sb-Button"
              disabled={doing.busy}
              onClick={() => act('resume', trans.__('It goes on.'))}
            >
              <span aria-hidden="true">↻</span> {trans.__('Resume the backfill')}
            </button>
            {one.failed > 0 && (
              <button
                className="sb-Button"
                disabled={doing.busy}
                onClick={() => act('retry', trans.__('What failed is run again.'))}
              >
                {trans.__('Retry what failed')}
              </button>
            )}
          </>
        )}
      </div>
      <Status doing={doing} />
    </section>
  );
}

function spanOf({ first, last }: BackfillInfo): string {
  return first === last ? first : `${first} … ${last}`;
}

/** Such as `2 of 3 intervals completed`, `1 failed`, `1 left`. */
function countsOf(one: BackfillInfo): string[] {
  return [
    `${one.done} of ${plural(one.total, 'interval')} completed`,
    one.failed > 0 ? `${one.failed} failed` : '',
    one.without > 0
      ? `${one.without} without a run, as nothing was to be done or it could not be planned`
      : '',
    one.left > 0 ? `${one.left} left` : ''
  ].filter(Boolean);
}

function Bar(props: { context: Context; one: BackfillInfo }): React.JSX.Element {
  const { one } = props;
  const over = one.done + one.failed + one.without;
  const part = (count: number): string => `${(100 * count) / Math.max(1, one.total)}%`;
  return (
    <div
      className="sb-BackfillBar"
      role="progressbar"
      aria-label={props.context.trans.__('Backfill %1', spanOf(one))}
      aria-valuemin={0}
      aria-valuemax={one.total}
      aria-valuenow={Math.min(over, one.total)}
      aria-valuetext={countsOf(one).join(', ')}
    >
      <span data-state="completed" style={{ width: part(one.done + one.without) }} />
      <span data-state="failed" style={{ width: part(one.failed) }} />
      <span data-state="running" style={{ width: part(one.current.length) }} />
    </div>
  );
}

const NAMED = 10; // intervals that failed

function Failed(props: { context: Context; one: BackfillInfo }): React.JSX.Element | null {
  const failed = props.one.runs.filter(run => run.status !== 'running');
  if (failed.length === 0) {
    return null;
  }
  const more = failed.length - NAMED;
  return (
    <ul className="sb-Notes" aria-label={props.context.trans.__('Intervals that did not complete')}>
      {failed.slice(0, NAMED).map(run => (
        <li key={run.id}>
          <Glyph state={run.status} /> {run.interval} {run.status} <span className="sb-Help">{run.id}</span>
        </li>
      ))}
      {more > 0 && <li>{props.context.trans.__('and %1 more', more)}</li>}
    </ul>
  );
}
