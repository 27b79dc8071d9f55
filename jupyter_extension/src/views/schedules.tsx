/** The view of the schedules of a project: what fires next, what came of it, and who paused what. */

import * as React from 'react';

import { ago } from '../model/format';
import type { State } from '../model/stage-state';
import { isHere, moment, timeIn, until } from '../model/moments';
import { actOnSchedule, schedules } from '../services/operations';
import type { ScheduleAction, ScheduleInfo, SchedulesReply } from '../wire';
import type { Context, Question } from './context';
import { useAnswer, useNow, useRound, useStore } from './hooks';
import { MainView } from './main-view';
import { Status, useWork } from './operation-parts';
import { Breakable, ConnectionNote, Glyph } from './parts';

const GOES_ON: ReadonlySet<string> = new Set(['waits', 'running', 'pending']);

export class SchedulesView extends MainView {
  constructor(context: Context) {
    super(context, 'stagebook-schedules', context.trans.__('Schedules'));
    this.addClass('sb-RunsView');
  }

  protected override render(): React.JSX.Element {
    return <Schedules context={this._context} />;
  }
}

function Schedules(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, trans } = context;
  useStore(context);
  const project = store.projectPath;
  const [goesOn, setGoesOn] = React.useState(false);
  const [round, again] = useRound(context, goesOn);
  const answer = useAnswer(() => schedules(store.api, project), [project, round]);
  const { work, doing } = useWork(again);
  const reply = answer.value;
  React.useEffect(() => {
    setGoesOn(reply?.schedules.some(one => GOES_ON.has(one.last?.outcome ?? '')) ?? false);
  }, [reply]);
  const act = (one: ScheduleInfo, action: ScheduleAction, because: string, done: string): void =>
    work(done, () =>
      actOnSchedule(store.api, {
        action,
        because,
        project,
        pipeline: one.pipeline,
        schedule: one.name,
        environment: one.environment
      })
    );
  return (
    <>
      <div className="sb-Bar" role="toolbar" aria-label={trans.__('Schedules')}>
        <Leader context={context} reply={reply} />
        <button className="sb-Button" onClick={again}>
          {trans.__('Look again')}
        </button>
      </div>
      <ConnectionNote context={context} />
      <div className="sb-Whole">
        {answer.error && <p className="sb-FieldError">{answer.error}</p>}
        <Status doing={doing} />
        {reply !== null && reply.problems.length > 0 && <Problems context={context} reply={reply} />}
        {reply !== null && reply.schedules.length === 0 && (
          <p className="sb-None">
            {trans.__('Nothing is scheduled. In a pipeline file:')}{' '}
            <code>{'schedules: {daily: {cron: "0 6 * * *", zone: Europe/Berlin, interval: day}}'}</code>
          </p>
        )}
        {reply !== null && reply.schedules.length > 0 && (
          <>
            <table aria-label={trans.__('Schedules')}>
              <thead>
                <tr>
                  <th>{trans.__('Schedule')}</th>
                  <th>{trans.__('Fires')}</th>
                  <th>{trans.__('Next')}</th>
                  <th>{trans.__('Last')}</th>
                  <th>
                    <span className="sb-Hidden">{trans.__('Actions')}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {reply.schedules.map(one => (
                  <Row key={keyOf(one)} context={context} one={one} busy={doing.busy} act={act} />
                ))}
              </tbody>
            </table>
            <Next context={context} reply={reply} />
          </>
        )}
      </div>
    </>
  );
}

function keyOf({ environment, pipeline, name }: ScheduleInfo): string {
  return `${environment} ${pipeline}/${name}`;
}

/** Whether a scheduler runs, and if none does, how to start one. */
function Leader(props: { context: Context; reply: SchedulesReply | null }): React.JSX.Element {
  const { reply } = props;
  const { trans } = props.context;
  const now = useNow(30);
  if (reply === null) {
    return <span className="sb-Help">…</span>;
  }
  if (reply.leader === null) {
    return (
      <span>
        <span className="sb-Findings">
          <span aria-hidden="true">!</span> {trans.__('No scheduler runs, so nothing fires by itself.')}
        </span>{' '}
        <span className="sb-Help">
          {trans.__('In a terminal:')} <code>stagebook scheduler</code>
        </span>
      </span>
    );
  }
  const { pid, host, since } = reply.leader;
  return (
    <span className="sb-Help">
      <span aria-hidden="true">✓</span> {trans.__('A scheduler runs them: process %1 on %2', pid, host)}
      {since > 0 && `, ${trans.__('since %1', ago(since, now))}`}
    </span>
  );
}

function Problems(props: { context: Context; reply: SchedulesReply }): React.JSX.Element {
  const { actions, trans } = props.context;
  return (
    <div className="sb-Problems" role="alert">
      <p>
        <Glyph state="failed" /> {trans.__('These mistakes hold schedules up:')}
      </p>
      <ul>
        {props.reply.problems.map(problem => (
          <li key={`${problem.path}:${problem.line}:${problem.message}`}>
            <button
              className="sb-Link"
              onClick={() => actions.openPipelineFile(problem.line, problem.column, problem.path)}
            >
              {problem.line > 0 ? `${problem.path}:${problem.line}:${problem.column}` : problem.path}
            </button>{' '}
            {problem.message}
            {problem.hint && <span className="sb-Hint"> {problem.hint}</span>}
          </li>
        ))}
      </ul>
    </div>
  );
}

function Row(props: {
  context: Context;
  one: ScheduleInfo;
  busy: boolean;
  act: (one: ScheduleInfo, action: ScheduleAction, because: string, done: string) => void;
}): React.JSX.Element {
  const { context, one, busy, act } = props;
  const { actions, trans } = context;
  const name = `${one.pipeline}/${one.name}`;
  const label = one.environment === 'dev' ? name : trans.__('%1 in %2', name, one.environment);
  const ask = (question: Question, action: ScheduleAction, done: string): void => {
    void actions.ask(question).then(because => {
      if (because !== null) {
        act(one, action, because, done);
      }
    });
  };
  const why = trans.__('Why? It is recorded with your name.');
  return (
    <tr>
      <th scope="row">
        <Breakable text={name} />
        {one.environment !== 'dev' && <span className="sb-Help"> {trans.__('in %1', one.environment)}</span>}
      </th>
      <td>
        {one.fires}
        {one.interval && (
          <span className="sb-Help sb-Below">{trans.__('about the last complete %1', one.interval)}</span>
        )}
      </td>
      <td>
        <NextOf context={context} one={one} />
      </td>
      <td>
        <LastOf context={context} one={one} />
      </td>
      <td>
        <span className="sb-Buttons">
          {one.paused ? (
            <button
              className="sb-Button"
              aria-label={trans.__('Resume %1', label)}
              disabled={busy}
              onClick={() =>
                ask(
                  {
                    title: trans.__('Resume %1', label),
                    label: `${trans.__('What it missed is caught up as after any downtime.')} ${why}`,
                    goOn: trans.__('Resume')
                  },
                  'resume',
                  trans.__('%1 is resumed.', label)
                )
              }
            >
              {trans.__('Resume …')}
            </button>
          ) : (
            <button
              className="sb-Button"
              aria-label={trans.__('Pause %1', label)}
              disabled={busy}
              onClick={() =>
                ask(
                  {
                    title: trans.__('Pause %1', label),
                    label: `${trans.__('Nothing fires until it is resumed. Runs that go on go on.')} ${why}`,
                    goOn: trans.__('Pause')
                  },
                  'pause',
                  trans.__('%1 is paused.', label)
                )
              }
            >
              {trans.__('Pause …')}
            </button>
          )}
          <button
            className="sb-Button"
            aria-label={trans.__('Trigger %1', label)}
            disabled={busy}
            onClick={() =>
              ask(
                {
                  title: trans.__('Trigger %1', label),
                  label: `${trans.__('It runs now, about its latest complete interval.')} ${why}`,
                  goOn: trans.__('Trigger')
                },
                'trigger',
                trans.__('%1 is triggered.', label)
              )
            }
          >
            {trans.__('Trigger …')}
          </button>
        </span>
      </td>
    </tr>
  );
}

/** When it fires next; or who paused it, and why. */
function NextOf(props: { context: Context; one: ScheduleInfo }): React.JSX.Element {
  const { one } = props;
  const { trans } = props.context;
  const now = useNow(10);
  if (one.paused) {
    const by = one.turned?.action === 'pause' ? one.turned : null;
    return (
      <>
        <span className="sb-Findings">
          <span aria-hidden="true">‖</span> {trans.__('paused')}
        </span>
        <span className="sb-Help sb-Below">
          {by === null
            ? trans.__('as the pipeline file says')
            : trans.__('by %1, %2', by.by || trans.__('somebody'), ago(by.at, now)) +
              (by.because ? `: ${by.because}` : '')}
        </span>
      </>
    );
  }
  if (one.next === null) {
    return <span className="sb-Help">{trans.__('when there is news')}</span>;
  }
  return <Moment at={one.next} zone={one.zone} now={now} />;
}

/** A time to come in the time zone of the browser, how long it is until then, and the time where the schedule is. */
function Moment(props: { at: number; zone: string; now: number }): React.JSX.Element {
  const { at, zone, now } = props;
  return (
    <>
      {moment(at)}
      <span className="sb-Help sb-Below">
        {until(at, now)}
        {!isHere(at, zone) && ` · ${timeIn(at, zone)}`}
      </span>
    </>
  );
}

function LastOf(props: { context: Context; one: ScheduleInfo }): React.JSX.Element {
  const { last } = props.one;
  const { trans } = props.context;
  const now = useNow(10);
  if (last === null) {
    return <span className="sb-Help sb-OneLine">{trans.__('never')}</span>;
  }
  const about = last.interval ? trans.__('about %1', last.interval) : '';
  return (
    <>
      <Glyph state={last.outcome as State} /> {last.outcome}
      <span className="sb-Help sb-Below" title={last.run}>
        {[ago(last.at, now), about, last.reason].filter(Boolean).join(' · ')}
      </span>
    </>
  );
}

/** What fires next, in order. */
function Next(props: { context: Context; reply: SchedulesReply }): React.JSX.Element | null {
  const { reply } = props;
  const { trans } = props.context;
  const now = useNow(10);
  if (reply.next.length === 0) {
    return null;
  }
  return (
    <>
      <h2>{trans.__('Next runs')}</h2>
      <table className="sb-NextRuns" aria-label={trans.__('Next runs')}>
        <thead>
          <tr>
            <th>{trans.__('At')}</th>
            <th>{trans.__('Until then')}</th>
            <th>{trans.__('Schedule')}</th>
            <th>{trans.__('About')}</th>
            <th>{trans.__('Its own time')}</th>
          </tr>
        </thead>
        <tbody>
          {reply.next.map(one => (
            <tr key={`${one.at} ${one.environment} ${one.pipeline}/${one.schedule}`}>
              <td className="sb-OneLine">{moment(one.at)}</td>
              <td className="sb-OneLine">{until(one.at, now)}</td>
              <td>
                {one.pipeline}/{one.schedule}
                {one.environment !== 'dev' && (
                  <span className="sb-Help"> {trans.__('in %1', one.environment)}</span>
                )}
              </td>
              <td className="sb-OneLine">{one.interval}</td>
              <td className="sb-Help sb-OneLine">{timeIn(one.at, one.zone)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
