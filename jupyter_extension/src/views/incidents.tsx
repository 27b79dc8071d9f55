/** The view of the incidents of an environment: what is wrong, since when, and what people said of it. */

import * as React from 'react';

import { ago, duration, plural } from '../model/format';
import { moment } from '../model/moments';
import { shortId } from '../model/run-name';
import { actOnIncident, incidents, openIncidents } from '../services/operations';
import type { Incident, IncidentRequest } from '../wire';
import type { Context, Question } from './context';
import { EnvironmentSelect, Status, useWork } from './operation-parts';
import { useAnswer, useNow, useRound, useStore } from './hooks';
import { MainView } from './main-view';
import { ConnectionNote } from './parts';

export class IncidentsView extends MainView {
  constructor(context: Context) {
    super(context, 'stagebook-incidents', context.trans.__('Incidents'));
    this.addClass('sb-RunsView');
  }

  protected override render(): React.JSX.Element {
    return <Incidents context={this._context} />;
  }
}

function Incidents(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, trans } = context;
  useStore(context);
  const project = store.projectPath;
  const [environment, choose] = React.useState('dev');
  const [round, again] = useRound(context);
  const answer = useAnswer(() => incidents(store.api, project, environment), [project, environment, round]);
  const { work, doing } = useWork(again);
  const reply = answer.value;
  const open = reply?.incidents.filter(one => one.closed === null) ?? [];
  const closed = reply?.incidents.filter(one => one.closed !== null) ?? [];
  const act = (one: Incident, request: IncidentRequest, done: string): void =>
    work(done, () => actOnIncident(store.api, one.id, { ...request, environment, project }));
  return (
    <>
      <div className="sb-Bar" role="toolbar" aria-label={trans.__('Incidents')}>
        <EnvironmentSelect
          context={context}
          value={environment}
          names={reply?.environments ?? []}
          choose={choose}
        />
        <span className="sb-Help">
          {trans.__('The first failure opens an incident, and health closes it.')}
        </span>
      </div>
      <ConnectionNote context={context} />
      <div className="sb-Whole">
        {answer.error && <p className="sb-FieldError">{answer.error}</p>}
        <Status doing={doing} />
        {reply !== null && (
          <h1>
            {open.length === 0
              ? trans.__('✓ No incident is open in %1', environment)
              : trans.__('✗ %1 in %2', plural(open.length, 'open incident'), environment)}
          </h1>
        )}
        <Elsewhere context={context} environment={environment} round={round} choose={choose} />
        {reply !== null && !reply.opens && (
          <p className="sb-Help">
            {trans.__('What fails in %1 opens no incident. That it does, a setting says:', environment)}{' '}
            <code>incidents.dev = true</code>
          </p>
        )}
        {open.map(one => (
          <Open key={one.id} context={context} one={one} busy={doing.busy} act={act} />
        ))}
        {closed.length > 0 && (
          <details>
            <summary>
              {trans.__('%1 closed', closed.length + (reply?.older ?? 0))}
              {reply !== null &&
                reply.older > 0 &&
                ` · ${trans.__('the latest %1 are shown', closed.length)}`}
            </summary>
            {closed.map(one => (
              <Closed key={one.id} context={context} one={one} />
            ))}
          </details>
        )}
      </div>
    </>
  );
}

/** How many are open in other environments, which the button in the panel counts as well. */
function Elsewhere(props: {
  context: Context;
  environment: string;
  round: string;
  choose: (environment: string) => void;
}): React.JSX.Element | null {
  const { store, trans } = props.context;
  const project = store.projectPath;
  const { value } = useAnswer(() => openIncidents(store.api, project), [project, props.round]);
  const others = Object.entries(value ?? {}).filter(([name]) => name !== props.environment);
  return others.length === 0 ? null : (
    <p className="sb-Buttons">
      {others.map(([name, count]) => (
        <button key={name} className="sb-Link" onClick={() => props.choose(name)}>
          {trans.__('✗ %1 in %2', plural(count, 'open incident'), name)}
        </button>
      ))}
    </p>
  );
}

function Open(props: {
  context: Context;
  one: Incident;
  busy: boolean;
  act: (one: Incident, request: IncidentRequest, done: string) => void;
}): React.JSX.Element {
  const { context, one, busy, act } = props;
  const { actions, trans } = context;
  const now = useNow(30);
  const { name } = one;
  const ask = (question: Question, action: IncidentRequest['action'], done: string): void => {
    void actions.ask(question).then(text => {
      if (text !== null) {
        act(one, { action, text }, done);
      }
    });
  };
  return (
    <article className="sb-Incident" aria-label={`${name}: ${one.kind}`} data-severe={one.is_severe}>
      <h2>
        <span aria-hidden="true">{one.is_severe ? '✗' : '!'}</span> {name}: {one.kind}
      </h2>
      {one.message && <p>{one.message}</p>}
      <p className="sb-Help">
        {trans.__('since %1 (%2)', moment(one.opened), ago(one.opened, now))}
        {one.run && ' · '}
        {one.run && seenIn(context, one)}
        {' · '}
        {one.id}
      </p>
      <p>
        {one.acks.length === 0
          ? trans.__('Nobody has acknowledged it yet.')
          : trans.__('✓ acknowledged by %1', seenBy(one))}
      </p>
      <Words one={one} context={context} now={now} />
      <div className="sb-Buttons">
        <button
          className="sb-Button"
          disabled={busy}
          onClick={() =>
            ask(
              {
                title: trans.__('Acknowledge %1', name),
                label: trans.__('What do you want to say? Others see that you look after it.'),
                goOn: trans.__('Acknowledge')
              },
              'ack',
              trans.__('%1 is acknowledged.', name)
            )
          }
        >
          {trans.__('Acknowledge …')}
        </button>
        <button
          className="sb-Button"
          disabled={busy}
          onClick={() =>
            ask(
              {
                title: trans.__('A note on %1', name),
                label: trans.__('What did you find out?'),
                goOn: trans.__('Note'),
                isNeeded: true
              },
              'note',
              trans.__('Noted.')
            )
          }
        >
          {trans.__('Note …')}
        </button>
        <button
          className="sb-Button"
          disabled={busy}
          onClick={() =>
            ask(
              {
                title: trans.__('Close %1', name),
                label: trans.__('Why, though no run has shown that it is well?'),
                goOn: trans.__('Close the incident')
              },
              'close',
              trans.__('%1 is closed.', name)
            )
          }
        >
          {trans.__('Close …')}
        </button>
      </div>
    </article>
  );
}

/** What people said of an incident, in the order of time. */
function Words(props: { context: Context; one: Incident; now: number }): React.JSX.Element | null {
  const { one, now } = props;
  const { trans } = props.context;
  const said = [...one.acks.filter(word => word.text !== ''), ...one.notes].sort((a, b) => a.at - b.at);
  if (said.length === 0) {
    return null;
  }
  return (
    <ul className="sb-Notes" aria-label={trans.__('Notes')}>
      {said.map(word => (
        <li key={`${word.at} ${word.text}`}>
          {word.text}{' '}
          <span className="sb-Help">
            {word.by || trans.__('somebody')}, {ago(word.at, now)}
          </span>
        </li>
      ))}
    </ul>
  );
}

function Closed(props: { context: Context; one: Incident }): React.JSX.Element {
  const { context, one } = props;
  const { trans } = context;
  const now = useNow(60);
  const lasted = duration((one.closed ?? one.opened) - one.opened);
  const by = one.closed_by
    ? trans.__('closed by %1 after %2', one.closed_by, lasted)
    : one.closed_run
      ? trans.__('well after %1, in the run %2', lasted, shortId(one.closed_run))
      : trans.__('after %1 it %2', lasted, one.over);
  return (
    <article className="sb-Incident" aria-label={trans.__('%1: %2, closed', one.name, one.kind)}>
      <h2>
        <span aria-hidden="true">✓</span> {one.name}: {one.kind}
      </h2>
      {one.message && <p>{one.message}</p>}
      <p>
        {by}
        {one.closed_by && one.because && `: ${one.because}`}
      </p>
      <p className="sb-Help">
        {moment(one.opened)}
        {one.run && ` · ${trans.__('seen in %1', plural(one.runs, 'run'))}`}
        {one.acks.length > 0 && ` · ${trans.__('acknowledged by %1', seenBy(one))}`} · {one.id}
      </p>
      <Words one={one} context={context} now={now} />
    </article>
  );
}

function seenIn({ trans }: Context, one: Incident): string {
  return one.runs > 1
    ? trans.__('seen in %1, the latest %2', plural(one.runs, 'run'), shortId(one.last_run))
    : trans.__('seen in the run %1', shortId(one.run));
}

function seenBy(one: Incident): string {
  return [...new Set(one.acks.map(word => word.by || 'somebody'))].join(', ');
}
