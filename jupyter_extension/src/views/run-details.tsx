/** The page of one run. */

import * as React from 'react';

import { ago, duration, value as valueText } from '../model/format';
import { moment } from '../model/moments';
import type { IncidentInfo, RunInfo, RunReply } from '../wire';
import type { Context } from './context';
import { GanttChart } from './gantt';
import { useAnswer, useNow, useSlowly } from './hooks';
import { Glyph } from './parts';
import { RunName } from './run-name';
import { StageOfRun } from './stage-of-run';

const EVERY = 1_000; // milliseconds after which a run that goes on is read again

/** A run with its stages over time, unless these are shown elsewhere, and its notes. Read again while the run goes on. */
export function RunDetails(props: {
  context: Context;
  run: string;
  withoutTimes?: boolean;
}): React.JSX.Element {
  const { context } = props;
  const { store, actions } = context;
  const [chosen, setChosen] = React.useState<string | null>(null);
  const [noted, setNoted] = React.useState(0);
  const isLive = store.snapshot.runs.some(run => run.id === props.run && run.ended === null);
  const seq = useSlowly(isLive ? store.snapshot.seq : -1, EVERY);
  const answer = useAnswer(() => store.api.run(store.projectPath, props.run), [props.run, seq, noted]);
  const reply = answer.value;
  const now = useNow(isLive ? 1 : 60);
  if (reply === null) {
    return <p className="sb-None">{answer.error || '…'}</p>;
  }
  const stage = reply.stages.find(one => one.id === (chosen ?? urgent(reply)));
  return (
    <div className="sb-RunDetails">
      <Head context={context} reply={reply} now={now} />
      <div className="sb-RunParts" data-split={stage !== undefined}>
        {!props.withoutTimes && (
          <GanttChart
            context={context}
            reply={reply}
            now={now}
            chosen={stage?.id ?? ''}
            choose={id => setChosen(id === stage?.id ? '' : id)}
          />
        )}
        {stage !== undefined && (
          <StageOfRun context={context} reply={reply} stage={stage} close={() => setChosen('')} />
        )}
        <div className="sb-Remarks">
          <Incidents context={context} incidents={reply.incidents} />
          <Notes
            context={context}
            reply={reply}
            add={(kind, text) => {
              store.api
                .note(props.run, { project: store.projectPath, kind, text })
                .then(() => setNoted(noted + 1))
                .catch(actions.say);
            }}
          />
        </div>
      </div>
    </div>
  );
}

/** The stage that a run failed at; none where nothing failed. */
function urgent(reply: RunReply): string | undefined {
  return reply.stages.find(one => one.status === 'failed')?.id;
}

/** Who and what, when, and with which parameters; and what can be done with the run. */
function Head(props: { context: Context; reply: RunReply; now: number }): React.JSX.Element {
  const { now } = props;
  const { run } = props.reply;
  const { launcher, actions, trans } = props.context;
  const isResumable = ['failed', 'cancelled', 'interrupted'].includes(run.status);
  const { isIdle } = launcher;
  const facts: [string, string][] = [
    [trans.__('Took'), duration((run.ended ?? now) - run.started)],
    [trans.__('Began'), moment(run.started)],
    [trans.__('By'), askedBy(run)],
    [trans.__('Commit'), run.commit.slice(0, 12)],
    [trans.__('Id'), run.id]
  ];
  const params = Object.entries(run.params);
  return (
    <>
      <div className="sb-Buttons">
        <h1>
          <Glyph state={run.status} /> <RunName run={run} />
        </h1>
        <span className="sb-Help">
          {[run.kind === 'run' ? '' : run.kind, run.status, run.reason].filter(Boolean).join(' · ')}
        </span>
        {isResumable && (
          <>
            <button className="sb-Button" disabled={!isIdle} onClick={() => actions.resume(false, run.id)}>
              {trans.__('Resume')}
            </button>
            <button className="sb-Button" disabled={!isIdle} onClick={() => actions.resume(true, run.id)}>
              {trans.__('Retry what failed')}
            </button>
          </>
        )}
        <button className="sb-Button" onClick={() => actions.openMlflow([run.id])}>
          {trans.__('MLflow')}
        </button>
      </div>
      <dl className="sb-RunFacts">
        {facts
          .filter(([, text]) => text !== '')
          .map(([name, text]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        <div>
          <dt>{trans.__('Command')}</dt>
          <dd>
            <code>{run.command}</code>
          </dd>
        </div>
      </dl>
      {params.length > 0 && (
        <dl className="sb-RunFacts" aria-label={trans.__('Parameters')}>
          {params.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>
                <code>{valueText(value)}</code>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </>
  );
}

/** `ada@laptop`; of what a program asked for on behalf of somebody also the program and the account. */
function askedBy({ user, host, via, account }: RunInfo): string {
  return via === '' ? `${user}@${host}` : `${user}, ${via} (${account || user}@${host})`;
}

/** The incidents that a run has to do with, a line each; nothing where there are none. */
function Incidents(props: {
  context: Context;
  incidents: readonly IncidentInfo[];
}): React.JSX.Element | null {
  const { trans } = props.context;
  if (props.incidents.length === 0) {
    return null;
  }
  return (
    <section aria-label={trans.__('Incidents')}>
      <h2>{trans.__('Incidents')}</h2>
      <ul className="sb-Notes">
        {props.incidents.map(one => (
          <li key={one.id}>
            <strong>
              {one.closed === null ? '✗' : '✓'} {one.kind}{' '}
            </strong>
            {one.subject} {one.message}{' '}
            <span className="sb-Help">
              {one.id}, {ago(one.opened, Date.now() / 1000)}
              {one.seen_by.length > 0 && `, ${trans.__('seen by %1', one.seen_by.join(', '))}`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The notes on a run, and the field for another one. */
function Notes(props: {
  context: Context;
  reply: RunReply;
  add: (kind: 'note' | 'acknowledged', text: string) => void;
}): React.JSX.Element {
  const { trans } = props.context;
  const [text, setText] = React.useState('');
  const { notes, run } = props.reply;
  const isAcknowledged = notes.some(note => note.kind === 'acknowledged');
  return (
    <section aria-label={trans.__('Notes')}>
      <h2>{trans.__('Notes')}</h2>
      <ul className="sb-Notes">
        {notes.map(note => (
          <li key={`${note.at} ${note.text}`}>
            {note.kind === 'acknowledged' && <strong>✓ {trans.__('acknowledged')} </strong>}
            {note.text}{' '}
            <span className="sb-Help">
              {note.by}, {ago(note.at, Date.now() / 1000)}
            </span>
          </li>
        ))}
      </ul>
      <form
        className="sb-Buttons"
        onSubmit={event => {
          event.preventDefault();
          if (text.trim()) {
            props.add('note', text);
            setText('');
          }
        }}
      >
        <input
          className="sb-Search"
          aria-label={trans.__('A note on this run')}
          placeholder={trans.__('A note on this run')}
          value={text}
          onChange={event => setText(event.target.value)}
        />
        <button className="sb-Button" type="submit" disabled={!text.trim()}>
          {trans.__('Add')}
        </button>
        {run.status === 'failed' && !isAcknowledged && (
          <button className="sb-Button" type="button" onClick={() => props.add('acknowledged', text)}>
            {trans.__('Acknowledge the failure')}
          </button>
        )}
      </form>
    </section>
  );
}
