/** The page of one run. */

import * as React from 'react';

import { ago, duration, mark, value as valueText } from '../model/format';
import { gantt, ticksOf } from '../model/gantt';
import type { IncidentInfo, RunInfo, RunReply } from '../wire';
import type { Context } from './context';
import { useAnswer, useNow, useSize, useSlowly } from './hooks';
import { Glyph } from './parts';

const TICK = 64; // pixels that a mark of the axis of time takes
const LATE = 0.85; // of the axis; what stands there has its text before it
const EVERY = 1_000; // milliseconds after which a run that goes on is read again

/** A run with its stages over time and its notes. Read again while the run goes on. */
export function RunDetails(props: { context: Context; run: string }): React.JSX.Element {
  const { context } = props;
  const { store, launcher, actions, trans } = context;
  const [noted, setNoted] = React.useState(0);
  const isLive = store.snapshot.runs.some(run => run.id === props.run && run.ended === null);
  const seq = useSlowly(isLive ? store.snapshot.seq : -1, EVERY);
  const answer = useAnswer(() => store.api.run(store.projectPath, props.run), [props.run, seq, noted]);
  const reply = answer.value;
  const now = useNow(isLive ? 1 : 60);
  if (reply === null) {
    return <p className="sb-None">{answer.error || '…'}</p>;
  }
  const { run } = reply;
  const isResumable = ['failed', 'cancelled', 'interrupted'].includes(run.status);
  const { isIdle } = launcher;
  return (
    <>
      <h1>
        <Glyph state={run.status} /> {run.id}
      </h1>
      <p className="sb-Help">
        {[run.kind === 'run' ? '' : run.kind, run.status, run.reason].filter(Boolean).join(' · ')}
      </p>
      <div className="sb-Buttons">
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
      <dl>
        <dt>{trans.__('Started')}</dt>
        <dd>{new Date(run.started * 1000).toLocaleString()}</dd>
        <dt>{trans.__('By')}</dt>
        <dd>{askedBy(run)}</dd>
        <dt>{trans.__('Command')}</dt>
        <dd>
          <code>{run.command}</code>
        </dd>
        {run.commit && (
          <>
            <dt>{trans.__('Commit')}</dt>
            <dd>
              <code>{run.commit.slice(0, 12)}</code>
            </dd>
          </>
        )}
        {Object.entries(run.params).map(([name, value]) => (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>
              <code>{valueText(value)}</code>
            </dd>
          </React.Fragment>
        ))}
      </dl>
      <GanttChart context={context} reply={reply} now={now} />
      <Incidents context={context} incidents={reply.incidents} />
      <Notes
        context={context}
        reply={reply}
        add={(kind, text) => {
          store.api
            .note(run.id, { project: store.projectPath, kind, text })
            .then(() => setNoted(noted + 1))
            .catch(actions.say);
        }}
      />
    </>
  );
}

/** `ada@laptop`; of what a program asked for on behalf of somebody also the program and the account. */
function askedBy({ user, host, via, account }: RunInfo): string {
  return via === '' ? `${user}@${host}` : `${user}, ${via} (${account || user}@${host})`;
}

/** The stages of a run over time. A sign, besides the outline, marks the critical path. */
function GanttChart(props: { context: Context; reply: RunReply; now: number }): React.JSX.Element | null {
  const { reply, now } = props;
  const { actions, trans } = props.context;
  const chart = gantt(reply.run.started, reply.run.ended ?? now, reply.stages, reply.upstream);
  if (chart.bars.length === 0) {
    return <p className="sb-Help">{trans.__('No stage ran.')}</p>;
  }
  return (
    <figure className="sb-Gantt">
      <figcaption>
        {trans.__('Stages over time')} <span className="sb-Help">◆ {trans.__('on the critical path')}</span>
      </figcaption>
      <ul>
        {chart.bars.map(bar => (
          <li
            key={bar.info.id}
            aria-label={`${bar.info.id}, ${bar.info.status}, ${duration(bar.seconds)}${bar.critical ? ', on the critical path' : ''}`}
          >
            <button
              className="sb-Link sb-Clip"
              title={trans.__('Open the executed notebook of %1', bar.info.id)}
              disabled={!bar.info.has_notebook}
              onClick={() => actions.openExecutedOf(bar.info)}
            >
              <Glyph state={bar.info.status} /> {bar.info.id}
              {bar.critical && <span title={trans.__('on the critical path')}> ◆</span>}
            </button>
            <span className="sb-Track" aria-hidden="true">
              <span
                className="sb-GanttBar"
                data-state={bar.info.status}
                data-critical={bar.critical}
                style={{ left: percent(bar.from), width: percent(bar.width) }}
              />
            </span>
            <span className="sb-Help">{duration(bar.seconds)}</span>
          </li>
        ))}
        <Axis seconds={chart.seconds} />
      </ul>
    </figure>
  );
}

/** The axis of time, with as many marks as there is room for. */
function Axis(props: { seconds: number }): React.JSX.Element {
  const track = React.useRef<HTMLSpanElement>(null);
  const ticks = ticksOf(props.seconds, Math.max(2, Math.floor(useSize(track).width / TICK)));
  return (
    <li className="sb-Axis" aria-hidden="true">
      <span />
      <span className="sb-Track" ref={track}>
        {ticks.map(tick => (
          <span
            key={tick}
            className="sb-Tick"
            data-late={tick / props.seconds > LATE}
            style={{ left: percent(tick / props.seconds) }}
          >
            {mark(tick)}
          </span>
        ))}
      </span>
      <span />
    </li>
  );
}

function percent(part: number): string {
  return `${Math.round(part * 10000) / 100}%`;
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
