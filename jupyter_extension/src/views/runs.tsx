/** The view of what was run: a list, one run over time, and runs side by side. */

import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { Compared } from './compare';
import type { Context } from './context';
import { stagebookIcon } from './icon';
import { gantt } from '../model/gantt';
import { stateOfStatus } from '../model/stage-state';
import { ago, duration, value as valueText } from '../model/format';
import { ConnectionNote, Glyph, PipelineSelect, useAnswer, useNow, useStore } from './parts';
import type { RunInfo, RunReply } from '../wire';

const RUNS = 300;

export class HistoryView extends ReactWidget {
  constructor(private readonly _context: Context) {
    super();
    this.id = 'stagebook-history';
    this.title.icon = stagebookIcon;
    this.title.label = _context.trans.__('Runs');
    this.title.closable = true;
    this.addClass('sb-History');
  }

  protected override render(): React.JSX.Element {
    return <History context={this._context} />;
  }
}

function History(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, trans } = context;
  useStore(context);
  const [current, setCurrent] = React.useState<string | null>(null);
  const [chosen, setChosen] = React.useState<readonly string[]>([]);
  const name = store.pipeline?.name ?? '';
  // The list is asked for anew whenever a run begins or ends.
  const mark = JSON.stringify(store.picture.runs.map(run => [run.id, run.status]));
  const runs = useAnswer(() => store.api.runs(store.projectPath, name, RUNS), [name, mark]);
  const list = nested(runs.value?.runs ?? []);
  const shown = list.find(one => one.run.id === current)?.run.id ?? list[0]?.run.id ?? null;
  const compared = chosen.filter(id => list.some(one => one.run.id === id));
  const toggle = (id: string): void =>
    setChosen(compared.includes(id) ? compared.filter(one => one !== id) : [...compared, id]);
  return (
    <>
      <div className="sb-Bar" role="toolbar" aria-label={trans.__('Runs')}>
        <PipelineSelect context={context} />
        <span className="sb-Help">
          {compared.length < 2
            ? trans.__('Tick two or more runs to compare them.')
            : trans.__('%1 runs side by side', compared.length)}
        </span>
        {compared.length > 0 && (
          <button className="sb-Button" onClick={() => setChosen([])}>
            {trans.__('Untick all')}
          </button>
        )}
      </div>
      <ConnectionNote context={context} />
      {runs.error && <p className="sb-FieldError">{runs.error}</p>}
      <div className="sb-Body">
        <div className="sb-Runs">
          <table aria-label={trans.__('Runs of %1', name)}>
            <thead>
              <tr>
                <th>
                  <span className="sb-Hidden">{trans.__('Compare')}</span>
                </th>
                <th>{trans.__('Run')}</th>
                <th>{trans.__('Status')}</th>
                <th>{trans.__('Took')}</th>
                <th>{trans.__('Parameters')}</th>
                <th>{trans.__('Started by')}</th>
              </tr>
            </thead>
            <tbody>
              {list.map(({ run, level }) => (
                <RunRow
                  key={run.id}
                  context={context}
                  run={run}
                  level={level}
                  isCurrent={run.id === shown}
                  isChosen={compared.includes(run.id)}
                  show={() => setCurrent(run.id)}
                  toggle={() => toggle(run.id)}
                />
              ))}
            </tbody>
          </table>
          {list.length === 0 && <p className="sb-None">{trans.__('Nothing was run yet.')}</p>}
        </div>
        <div className="sb-RunPage">
          {compared.length >= 2 ? (
            <Compared context={context} runs={compared} mark={mark} />
          ) : (
            shown !== null && <OneRun key={shown} context={context} run={shown} />
          )}
        </div>
      </div>
    </>
  );
}

/** The points of a sweep follow it. */
function nested(runs: readonly RunInfo[]): { run: RunInfo; level: number }[] {
  const sweeps = new Set(runs.filter(run => run.kind === 'sweep').map(run => run.id));
  return runs.flatMap(run => {
    if (sweeps.has(run.parent)) {
      return [];
    }
    const points = runs.filter(point => point.parent === run.id).reverse();
    return [{ run, level: 0 }, ...points.map(point => ({ run: point, level: 1 }))];
  });
}

function RunRow(props: {
  context: Context;
  run: RunInfo;
  level: number;
  isCurrent: boolean;
  isChosen: boolean;
  show: () => void;
  toggle: () => void;
}): React.JSX.Element {
  const { run } = props;
  const { trans } = props.context;
  const now = useNow(run.ended === null ? 1 : 30);
  const params = Object.entries(run.params)
    .map(([name, value]) => `${name}=${valueText(value)}`)
    .join(', ');
  const kind = run.kind === 'run' ? '' : `${run.kind} · `;
  return (
    <tr data-current={props.isCurrent} data-level={props.level}>
      <td>
        <input
          type="checkbox"
          aria-label={trans.__('Compare %1', run.id)}
          checked={props.isChosen}
          onChange={props.toggle}
        />
      </td>
      <td className="sb-RunName">
        <button className="sb-Link" aria-current={props.isCurrent} onClick={props.show} title={run.id}>
          {ago(run.started, now)}
        </button>
      </td>
      <td>
        <Glyph state={stateOfStatus(run.status)} /> {run.status}
      </td>
      <td>{duration((run.ended ?? now) - run.started)}</td>
      <td className="sb-Clip" title={params}>
        {params}
      </td>
      <td className="sb-Clip" title={`${run.command}\n${run.user}@${run.host}`}>
        {kind}
        {run.user || run.command}
      </td>
    </tr>
  );
}

/** All about one run. It is asked for anew while it goes on. */
function OneRun(props: { context: Context; run: string }): React.JSX.Element {
  const { context } = props;
  const { store, actions, trans } = context;
  const [noted, setNoted] = React.useState(0);
  const isLive = store.picture.runs.some(run => run.id === props.run && run.ended === null);
  const seq = isLive ? store.picture.seq : -1;
  const answer = useAnswer(() => store.api.run(store.projectPath, props.run), [props.run, seq, noted]);
  const reply = answer.value;
  const now = useNow(isLive ? 1 : 60);
  if (reply === null) {
    return <p className="sb-None">{answer.error || '…'}</p>;
  }
  const { run } = reply;
  const isLeft = ['failed', 'cancelled', 'interrupted'].includes(run.status);
  const isIdle = store.liveRun === undefined && !store.isStarting;
  return (
    <>
      <h1>
        <Glyph state={stateOfStatus(run.status)} /> {run.id}
      </h1>
      <p className="sb-Help">
        {[run.kind === 'run' ? '' : run.kind, run.status, run.reason].filter(Boolean).join(' · ')}
      </p>
      <div className="sb-Buttons">
        {isLeft && (
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
        <dd>
          {run.user}@{run.host}
        </dd>
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
      <Chart context={context} reply={reply} now={now} />
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

/** The stages of a run over time. A sign, besides the outline, tells the critical path. */
function Chart(props: { context: Context; reply: RunReply; now: number }): React.JSX.Element | null {
  const { reply, now } = props;
  const { actions, trans } = props.context;
  const chart = gantt(reply.run.started, reply.run.ended ?? now, reply.stages, reply.upstream);
  if (chart.bars.length === 0) {
    return <p className="sb-Help">{trans.__('No stage of it ran.')}</p>;
  }
  const percent = (part: number): string => `${Math.round(part * 10000) / 100}%`;
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
              <Glyph state={stateOfStatus(bar.info.status)} /> {bar.info.id}
              {bar.critical && <span title={trans.__('on the critical path')}> ◆</span>}
            </button>
            <span className="sb-Track" aria-hidden="true">
              <span
                className="sb-GanttBar"
                data-state={stateOfStatus(bar.info.status)}
                data-critical={bar.critical}
                style={{ left: percent(bar.from), width: percent(bar.width) }}
              />
            </span>
            <span className="sb-Help">{duration(bar.seconds)}</span>
          </li>
        ))}
        <li className="sb-Axis" aria-hidden="true">
          <span />
          <span className="sb-Track">
            {chart.ticks.map(tick => (
              <span key={tick} className="sb-Tick" style={{ left: percent(tick / chart.seconds) }}>
                {tick} s
              </span>
            ))}
          </span>
          <span />
        </li>
      </ul>
    </figure>
  );
}

function Notes(props: {
  context: Context;
  reply: RunReply;
  add: (kind: 'note' | 'acknowledged', text: string) => void;
}): React.JSX.Element {
  const { trans } = props.context;
  const [text, setText] = React.useState('');
  const { notes, run } = props.reply;
  const isSeen = notes.some(note => note.kind === 'acknowledged');
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
        {run.status === 'failed' && !isSeen && (
          <button className="sb-Button" type="button" onClick={() => props.add('acknowledged', text)}>
            {trans.__('Acknowledge the failure')}
          </button>
        )}
      </form>
    </section>
  );
}
