/** Parts of the views. */

import * as React from 'react';

import type { Context } from './context';
import { ago, duration } from '../model/format';
import { counts, GLYPHS, progressOf, type StageView, type State } from '../model/stage-state';
import type { Decision } from '../wire';

/** Draw again whenever the store has changed, at most once a frame. */
export function useStore(context: Context): void {
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let asked = 0;
    const slot = (): void => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        draw();
      });
    };
    context.store.changed.connect(slot);
    slot();
    return () => {
      cancelAnimationFrame(asked);
      context.store.changed.disconnect(slot);
    };
  }, [context]);
}

/** The sign of a state; its word is said beside it or by the label of what it is in. */
export function Glyph(props: { state: State }): React.JSX.Element {
  return (
    <span className="sb-Glyph" data-state={props.state} aria-hidden="true">
      {GLYPHS[props.state]}
    </span>
  );
}

/** What a run would do about a stage: a sign and the word. */
export function DecisionSign(props: { decision: Decision }): React.JSX.Element {
  return (
    <span className="sb-Decision" data-decision={props.decision}>
      <span aria-hidden="true">{DECISIONS[props.decision]}</span> {props.decision}
    </span>
  );
}

const DECISIONS: Readonly<Record<Decision, string>> = { RUN: '▶', REUSE: '↺', WAIT: '◷', SKIP: '–' };

/** What the server answers; asked again when what it depends on changed, and kept meanwhile. */
export function useAnswer<T>(
  ask: () => Promise<T> | null,
  depends: readonly unknown[]
): { value: T | null; error: string } {
  const [answer, setAnswer] = React.useState<{ value: T | null; error: string }>({ value: null, error: '' });
  const asking = React.useRef(ask);
  asking.current = ask;
  React.useEffect(() => {
    let isOver = false;
    const asked = asking.current();
    if (asked === null) {
      setAnswer({ value: null, error: '' });
      return;
    }
    asked.then(
      value => isOver || setAnswer({ value, error: '' }),
      (error: unknown) =>
        isOver || setAnswer({ value: null, error: error instanceof Error ? error.message : String(error) })
    );
    return () => {
      isOver = true;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the caller says what it depends on
  }, [JSON.stringify(depends)]);
  return answer;
}

/** The time in seconds since the epoch, told anew every few seconds. */
export function useNow(every: number): number {
  const [now, setNow] = React.useState(() => Date.now() / 1000);
  React.useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), every * 1000);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

export function Ago(props: { then: number }): React.JSX.Element {
  return <>{ago(props.then, useNow(20))}</>;
}

/** How long it has run, of how long it is expected to, counted on every second. */
export function Elapsed(props: { started: number; expected: number | null }): React.JSX.Element {
  const now = useNow(1);
  const text = duration(Math.max(0, now - props.started));
  return <>{props.expected === null ? text : `${text} of about ${duration(props.expected)}`}</>;
}

export function Progress(props: { view: StageView }): React.JSX.Element | null {
  const part = progressOf(props.view);
  if (part === null) {
    return null;
  }
  return (
    <span
      className="sb-Progress"
      role="progressbar"
      aria-label={props.view.id}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(part * 100)}
    >
      <span style={{ width: `${part * 100}%` }} />
    </span>
  );
}

/** How many stages are in which state. */
export function Counts(props: { views: readonly StageView[]; words?: boolean }): React.JSX.Element {
  return (
    <span className="sb-Counts">
      {counts(props.views).map(([state, count]) => (
        <span key={state} className="sb-Count" title={`${count} ${state}`}>
          <Glyph state={state} />
          {count}
          <span className={props.words ? '' : 'sb-Hidden'}> {state}</span>
        </span>
      ))}
    </span>
  );
}

/** The run of the pipeline that goes on, or the last one. */
export function RunLine(props: { context: Context }): React.JSX.Element | null {
  const { store, trans } = props.context;
  const live = store.liveRun;
  const run = live ?? store.latestRun;
  if (run === undefined) {
    return <div className="sb-Run">{trans.__('Nothing was run yet.')}</div>;
  }
  const by = run.command.startsWith('stagebook') ? run.command : '';
  if (live !== undefined) {
    return (
      <div className="sb-Run" title={by} aria-live="polite">
        <Glyph state="running" /> {trans.__('running')}, <Elapsed started={live.started} expected={null} />
      </div>
    );
  }
  const took = run.ended === null ? '' : duration(run.ended - run.started);
  return (
    <div className="sb-Run" title={by} aria-live="polite">
      <Glyph state={run.status === 'completed' ? 'done' : stateOfRun(run.status)} /> {run.status}{' '}
      <Ago then={run.ended ?? run.started} />, {trans.__('in')} {took}
    </div>
  );
}

function stateOfRun(status: string): State {
  return status === 'cancelled' || status === 'interrupted' ? status : 'failed';
}

/** Mistakes, each with a way to its place. */
export function Problems(props: { context: Context }): React.JSX.Element | null {
  const { store, actions, trans } = props.context;
  const reply = store.problem ?? store.planProblem;
  if (reply === null) {
    return null;
  }
  return (
    <div className="sb-Problems" role="alert">
      <p>
        <Glyph state="failed" /> {reply.message}
        {reply.hint && <span className="sb-Hint"> {reply.hint}</span>}
      </p>
      <ul>
        {reply.problems.map(problem => (
          <li key={`${problem.path}:${problem.line}:${problem.column}:${problem.message}`}>
            <button
              className="sb-Link"
              title={trans.__('Open it there')}
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

/** Buttons that are in both views. */
export function RunButtons(props: { context: Context }): React.JSX.Element {
  const { store, actions, trans } = props.context;
  const live = store.liveRun;
  return (
    <>
      {live === undefined && store.resumable !== undefined && (
        <button
          className="sb-Button"
          disabled={!store.canStart}
          title={trans.__('Do what is left of the last run')}
          onClick={() => actions.resume(false)}
        >
          <span aria-hidden="true">↻</span> {trans.__('Resume')}
        </button>
      )}
      {live === undefined ? (
        <button
          className="sb-Button sb-mod-accept"
          disabled={!store.canStart}
          onClick={() => actions.runAll()}
        >
          <span aria-hidden="true">▶</span> {store.isStarting ? trans.__('Starting …') : trans.__('Run all')}
        </button>
      ) : (
        <button className="sb-Button sb-mod-warn" onClick={() => actions.cancel()}>
          <span aria-hidden="true">■</span> {trans.__('Cancel')}
        </button>
      )}
    </>
  );
}

/** The parameters that are not at their defaults: they hold for whatever is run. */
export function GivenParams(props: { context: Context }): React.JSX.Element | null {
  const { store, trans } = props.context;
  const given = Object.entries(store.order.texts);
  if (given.length === 0) {
    return null;
  }
  return (
    <div className="sb-Given" aria-label={trans.__('Parameters of the next run')} role="group">
      {given.map(([name, text]) => (
        <button
          key={name}
          type="button"
          className="sb-Chip"
          data-wrong={name in store.fields}
          title={trans.__('Set %1 back to its default', name)}
          onClick={() => store.setText(name, null)}
        >
          {name}={text} <span aria-hidden="true">×</span>
        </button>
      ))}
    </div>
  );
}

export function PipelineSelect(props: { context: Context }): React.JSX.Element {
  const { store, trans } = props.context;
  return (
    <>
      {store.projects.length > 1 && (
        <select
          className="sb-Select"
          aria-label={trans.__('Project')}
          value={store.projectPath}
          onChange={event =>
            void store.openProject(store.projects.find(one => one.path === event.target.value) ?? null)
          }
        >
          {store.projects.map(one => (
            <option key={one.path} value={one.path}>
              {one.path || one.name}
            </option>
          ))}
        </select>
      )}
      <select
        className="sb-Select"
        aria-label={trans.__('Pipeline')}
        value={store.pipeline?.key ?? ''}
        onChange={event => store.openPipeline(event.target.value)}
      >
        {store.pipelines.map(one => (
          <option key={one.key} value={one.key}>
            {one.problems.length > 0 ? `${one.key} (${trans.__('has mistakes')})` : one.key}
          </option>
        ))}
      </select>
    </>
  );
}

export function ConnectionNote(props: { context: Context }): React.JSX.Element | null {
  const { store, trans } = props.context;
  if (store.connection !== 'lost') {
    return null;
  }
  return (
    <div className="sb-Note" role="status">
      <Glyph state="interrupted" /> {trans.__('The connection to the server is lost; trying again …')}
    </div>
  );
}
