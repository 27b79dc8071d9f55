/** Parts that several views have. */

import * as React from 'react';

import type { Context } from './context';
import { useNow } from './hooks';
import { nothingDone } from '../model/endings';
import { ago, duration, plural } from '../model/format';
import { counts, GLYPHS, progressOf, type StageView, type State } from '../model/stage-state';
import { INTERVAL } from '../services/requests';
import type { NextRun } from '../wire';
import { RunName } from './run-name';

/** The sign of a state. Its word stands beside it, or in the label of the element around it. */
export function Glyph(props: { state: State }): React.JSX.Element {
  return (
    <span className="sb-Glyph" data-state={props.state} aria-hidden="true">
      {GLYPHS[props.state]}
    </span>
  );
}

/** What the next run would do with a stage: a sign and the word. */
export function NextRunSign(props: { word: NextRun }): React.JSX.Element {
  return (
    <span className="sb-Decision">
      <span aria-hidden="true">{GLYPHS[props.word]}</span> {props.word}
    </span>
  );
}

/** Facts by their names; those that are empty are left out. */
export function FactList(props: {
  facts: readonly (readonly [string, React.ReactNode])[];
  className?: string;
}): React.JSX.Element {
  return (
    <dl className={props.className}>
      {props.facts.map(([name, fact]) =>
        fact === null || fact === undefined || fact === '' ? null : (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>{fact}</dd>
          </React.Fragment>
        )
      )}
    </dl>
  );
}

/** Where the stages that are shown are searched for. */
export function StageSearch(props: {
  context: Context;
  text: string;
  search: (text: string) => void;
}): React.JSX.Element {
  const label = props.context.trans.__('Search stages');
  return (
    <input
      className="sb-Search"
      type="search"
      aria-label={label}
      placeholder={label}
      value={props.text}
      onChange={event => props.search(event.target.value)}
    />
  );
}

/** Text that breaks after a slash where its line is too short, and within a word only where that is not enough. */
export function Breakable(props: { text: string }): React.JSX.Element {
  return (
    <>
      {props.text.split(/(?<=\/)/).map((part, index) => (
        <React.Fragment key={index}>
          {index > 0 && <wbr />}
          {part}
        </React.Fragment>
      ))}
    </>
  );
}

/** What contracts came to where not all hold: a sign and the words. */
export function Findings(props: { text: string }): React.JSX.Element | null {
  return props.text === '' ? null : (
    <span className="sb-Findings" title={props.text}>
      <span aria-hidden="true">!</span> {props.text}
    </span>
  );
}

export function Ago(props: { then: number }): React.JSX.Element {
  return <>{ago(props.then, useNow(20))}</>;
}

/** The time since the start, of the expected time; counted on every second. */
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

/** The run of the pipeline that goes on, or else the last one. */
export function RunLine(props: { context: Context }): React.JSX.Element | null {
  const { store, launcher, trans } = props.context;
  const live = store.liveRun;
  const run = live ?? store.latestRun;
  if (run === undefined) {
    return <div className="sb-Run">{trans.__('Nothing was run yet.')}</div>;
  }
  const by = run.command.startsWith('stagebook') ? run.command : '';
  if (live !== undefined) {
    return (
      <div className="sb-Run" title={by} aria-live="polite">
        <Glyph state="running" /> {launcher.isCancelling ? trans.__('cancelling …') : trans.__('running')}{' '}
        <RunName run={live} />, <Elapsed started={live.started} expected={null} />
      </div>
    );
  }
  const took = run.ended === null ? '' : duration(run.ended - run.started);
  const nothing = nothingDone(store.snapshot, run);
  if (nothing !== '') {
    return (
      <div className="sb-Run" title={nothing} aria-live="polite">
        <Glyph state="up to date" /> {trans.__('nothing to do')}, <Ago then={run.ended ?? run.started} />
      </div>
    );
  }
  return (
    <div className="sb-Run" title={by} aria-live="polite">
      <Glyph state={run.status} /> {run.status} <RunName run={run} />, {trans.__('took')} {took}
    </div>
  );
}

/** Mistakes, each with a way to its place. */
export function Problems(props: { context: Context }): React.JSX.Element | null {
  const { store, actions, trans } = props.context;
  const reply = store.problem ?? store.planner.problem;
  if (reply === null) {
    return null;
  }
  const { isKept } = store.planner;
  return (
    <div className="sb-Problems" role="alert" data-kept={isKept}>
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
      {isKept && (
        <p className="sb-Kept">
          <Glyph state="waits" /> {trans.__('The stages are shown as they were before, in grey.')}
        </p>
      )}
    </div>
  );
}

/** The parameters that are not at their defaults, which hold for every run that is started here, and how many stages are chosen. */
export function GivenParams(props: { context: Context }): React.JSX.Element | null {
  const { store, actions, trans } = props.context;
  const { texts, interval, stages } = store.planner.draft;
  const given = Object.entries(texts);
  if (given.length === 0 && interval === '' && stages.length === 0) {
    return null;
  }
  return (
    <div className="sb-Given" aria-label={trans.__('Parameters of the next run')} role="group">
      {given.map(([name, text]) => (
        <button
          key={name}
          type="button"
          className="sb-Chip"
          data-wrong={name in store.planner.fields}
          title={trans.__('Set %1 back to its default', name)}
          onClick={() => store.planner.setText(name, null)}
        >
          {name}={text} <span aria-hidden="true">×</span>
        </button>
      ))}
      {interval !== '' && (
        <button
          type="button"
          className="sb-Chip"
          data-wrong={INTERVAL in store.planner.fields}
          title={trans.__('Set the interval back to the latest complete one')}
          onClick={() => store.planner.change({ interval: '' })}
        >
          {trans.__('about %1', interval)} <span aria-hidden="true">×</span>
        </button>
      )}
      {stages.length > 0 && (
        <button
          type="button"
          className="sb-Chip"
          title={trans.__('Open the form that starts them: %1', stages.join(', '))}
          onClick={() => actions.openRunForm()}
        >
          {trans.__('%1 chosen …', plural(stages.length, 'stage'))}
        </button>
      )}
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
          {store.hasMoreProjects && (
            <option disabled>{trans.__('and others: start JupyterLab in a folder further down')}</option>
          )}
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
