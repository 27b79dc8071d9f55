/** The details of the stage that was chosen in the graph, under headings. */

import * as React from 'react';

import type { Context } from './context';
import { figure, tookOf } from '../model/card';
import { bytes, plain, value } from '../model/format';
import { type Entry, sizeOf } from '../model/grouping';
import type { Way } from '../model/lineage';
import { cellOf, lastOutcome, type StageView, type State } from '../model/stage-state';
import { useNow } from './hooks';
import { Monitors } from './monitors';
import { Breakable, Counts, Elapsed, FactList, Glyph } from './parts';
import { RunName } from './run-name';
import { StageFiles } from './stage-files';
import type { PlanStage, StageInfo } from '../wire';

/** What shows the stages before and after one; `null` where there is no graph. */
export type Ways = { readonly traced: Way | null; readonly follow: (way: Way) => void } | null;

/** A stage with all its facts. The texts of notebooks are shown as text, never as markup. */
export function StageDetails(props: { context: Context; view: StageView; ways: Ways }): React.JSX.Element {
  const { context, view } = props;
  const { store, launcher, trans } = context;
  const { info } = view;
  const planned = store.planner.plan?.stages.find(stage => stage.id === view.id);
  return (
    <aside className="sb-Details" aria-label={trans.__('The stage %1', view.id)}>
      <h2>
        <Glyph state={view.state} /> {view.id}
      </h2>
      <StateOf context={context} view={view} planned={planned} />
      <Documents context={context} view={view} />
      <div className="sb-Buttons">
        <RunScopes context={context} stage={view.id} isEnabled={launcher.canStart && view.notebook !== ''} />
      </div>
      <WayButtons context={context} ways={props.ways} />
      {info !== null && <Checks context={context} view={view} info={info} planned={planned} />}
      {info !== null && <Metrics context={context} info={info} />}
      {planned !== undefined && (
        <>
          <Params context={context} planned={planned} />
          <StageFiles key={`in ${view.id}`} context={context} planned={planned} info={info} of="inputs" />
          <StageFiles key={`out ${view.id}`} context={context} planned={planned} info={info} of="outputs" />
        </>
      )}
      {info !== null && <Attempt context={context} info={info} />}
    </aside>
  );
}

/** The state, and why it is so: the error of a stage that failed, the reasons of one that would run. */
function StateOf(props: {
  context: Context;
  view: StageView;
  planned: PlanStage | undefined;
}): React.JSX.Element {
  const { view, planned } = props;
  const { trans } = props.context;
  const { info } = view;
  return (
    <section aria-label={trans.__('State')}>
      <p className="sb-Detail">
        {[view.state, cellOf(view)].filter(Boolean).join(' ')}
        {view.state === 'running' && info?.started ? (
          <>
            , <Elapsed started={info.started} expected={info.expected} />
          </>
        ) : null}
      </p>
      {view.runs && <p className="sb-Detail">{view.runs}</p>}
      {view.description && <p>{view.description}</p>}
      {info?.message && <p className="sb-Message">{info.message}</p>}
      <Facts context={props.context} view={view} planned={planned} />
      {view.reasons.length > 1 && (
        <ul className="sb-Reasons" aria-label={trans.__('Reasons')}>
          {view.reasons.slice(1).map(reason => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
      {info?.traceback && (
        <pre className="sb-Traceback" tabIndex={0} aria-label={trans.__('Traceback')}>
          {plain(info.traceback)}
        </pre>
      )}
    </section>
  );
}

/** What can be opened of a stage. */
function Documents(props: { context: Context; view: StageView }): React.JSX.Element {
  const { view } = props;
  const { actions, trans } = props.context;
  const { info } = view;
  return (
    <div className="sb-Buttons">
      {view.notebook && (
        <button className="sb-Button" onClick={() => actions.openNotebook(view.id)}>
          {nameOfFile(props.context, view)}
        </button>
      )}
      {info?.has_notebook && (
        <>
          <button className="sb-Button" onClick={() => actions.openExecuted(view.id)}>
            {trans.__('Executed notebook')}
          </button>
          {info.cause === 'exception' && view.program === '' && (
            <button className="sb-Button" onClick={() => actions.openFailing(view.id)}>
              {trans.__('Failing cell')}
            </button>
          )}
          {info.cause === 'exception' && view.notebook && view.program === '' && (
            <button className="sb-Button" onClick={() => actions.editFailing(view.id)}>
              {trans.__('Edit this cell')}
            </button>
          )}
          <button className="sb-Button" onClick={() => actions.openLog(view.id)}>
            {trans.__('Log')}
          </button>
          <button className="sb-Button" onClick={() => actions.openMlflow([info.run], view.id)}>
            {trans.__('MLflow')}
          </button>
        </>
      )}
      <button className="sb-Button" onClick={() => actions.openChanges(view.id)}>
        {trans.__('Changes')}
      </button>
    </div>
  );
}

/** What the file that a stage runs is called on a button. */
function nameOfFile({ trans }: Context, view: StageView): string {
  switch (view.program) {
    case '':
      return trans.__('Notebook');
    case 'script':
      return trans.__('Script');
    case 'function':
      return trans.__('Function');
    case 'sql':
      return trans.__('SQL');
    default:
      return trans.__('Command');
  }
}

const SETTLED: ReadonlySet<State> = new Set(['completed', 'reused', 'up to date']);

/** What the contracts came to. */
function Checks(props: {
  context: Context;
  view: StageView;
  info: StageInfo;
  planned: PlanStage | undefined;
}): React.JSX.Element | null {
  const { info } = props;
  const { trans } = props.context;
  if (info.checks.length === 0) {
    const hasContracts = Object.keys(props.planned?.contracts ?? {}).length > 0;
    return hasContracts && SETTLED.has(props.view.state) ? (
      <section>
        <h3>{trans.__('Contracts')}</h3>
        <p>
          <Glyph state="completed" /> {trans.__('All checks hold.')}
        </p>
      </section>
    ) : null;
  }
  return (
    <section>
      <h3>{trans.__('Contracts')}</h3>
      <ul className="sb-Checks" aria-label={trans.__('Checks that do not hold')}>
        {info.checks.map(check => (
          <li key={check.line}>
            <Breakable text={check.line} />
            {check.rows.length > 0 && (
              <ul className="sb-Rows" aria-label={trans.__('Rows that break it')}>
                {check.rows.map((row, at) => (
                  <li key={at}>{row}</li>
                ))}
              </ul>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The numbers that a stage left, and its figures over the runs. */
function Metrics({ context, info }: { context: Context; info: StageInfo }): React.JSX.Element {
  const { trans } = context;
  const metrics = Object.entries(info.metrics);
  return (
    <section>
      {metrics.length > 0 && (
        <>
          <h3>{trans.__('Metrics')}</h3>
          <table className="sb-Metrics" aria-label={trans.__('Metrics of the stage')}>
            <tbody>
              {metrics.map(([name, number]) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td title={String(number)}>{figure(number)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
      <Monitors context={context} info={info} />
    </section>
  );
}

/** The parameters and conditions of a stage. */
function Params({ context, planned }: { context: Context; planned: PlanStage }): React.JSX.Element | null {
  const { trans } = context;
  const rows: [string, string][] = [
    ...Object.entries(planned.params).map(([name, given]): [string, string] => [name, value(given)]),
    ...(planned.when ? [['when', planned.when] as [string, string]] : []),
    ...(planned.foreach ? [['foreach', planned.foreach] as [string, string]] : [])
  ];
  if (rows.length === 0) {
    return null;
  }
  return (
    <section>
      <h3>{trans.__('Parameters')}</h3>
      <FactList
        className="sb-Contract"
        facts={rows.map(([name, text]) => [name, <Breakable key={name} text={text} />] as const)}
      />
    </section>
  );
}

/** The attempt that the state comes from. */
function Attempt({ context, info }: { context: Context; info: StageInfo }): React.JSX.Element {
  const { store, trans } = context;
  const run = store.snapshot.runs.find(one => one.id === info.run);
  return (
    <section>
      <h3>{trans.__('Last run')}</h3>
      <FactList
        facts={[
          [trans.__('Run'), run === undefined ? info.run : <RunName run={run} />],
          [trans.__('Attempt'), info.attempt > 0 ? info.attempt : null],
          [trans.__('Took'), tookOf(info)],
          [trans.__('Memory'), info.memory > 0 ? bytes(info.memory) : null]
        ]}
      />
    </section>
  );
}

/** What is known of a stage, none of which follows from another. */
function Facts(props: {
  context: Context;
  view: StageView;
  planned: PlanStage | undefined;
}): React.JSX.Element {
  const { view, planned } = props;
  const { trans } = props.context;
  const now = useNow(20);
  const isGoing = view.state === 'running' || view.state === 'frozen' || view.state === 'retrying';
  const nextRun =
    isGoing || !planned ? '' : [planned.next_run, planned.reasons[0]].filter(Boolean).join(': ');
  return (
    <FactList
      className="sb-Facts"
      facts={[
        [
          trans.__('Last outcome'),
          lastOutcome(view, now) || (view.info === null ? trans.__('it never ran') : '')
        ],
        [trans.__('Next run'), view.next || nextRun],
        [trans.__('On disk'), planned?.on_disk]
      ]}
    />
  );
}

/** Several stages that are one node: how each of them is. */
export function GroupDetails(props: {
  context: Context;
  entry: Entry;
  ways: Ways;
  unfold: () => void;
}): React.JSX.Element {
  const { context, entry } = props;
  const { store, launcher, actions, trans } = context;
  const isOneStage = entry.unit === 'instance';
  return (
    <aside
      className="sb-Details"
      aria-label={isOneStage ? trans.__('The stage %1', entry.key) : trans.__('The stages %1', entry.label)}
    >
      <h2>
        <Glyph state={entry.state} /> {entry.label}
      </h2>
      <p className="sb-Detail">{sizeOf(entry)}</p>
      <Counts views={entry.views} words />
      <div className="sb-Buttons">
        <button className="sb-Button" onClick={props.unfold}>
          {trans.__('Unfold')}
        </button>
        {isOneStage && <RunScopes context={context} stage={entry.key} isEnabled={launcher.canStart} />}
      </div>
      <WayButtons context={context} ways={props.ways} />
      <ul className="sb-Instances">
        {entry.views.map(view => (
          <li key={view.id}>
            <Glyph state={view.state} />{' '}
            <button className="sb-Link" onClick={() => store.select(view.id)}>
              {view.id}
            </button>{' '}
            <span className="sb-Help">
              {[view.state, cellOf(view), view.why, view.findings].filter(Boolean).join(' · ')}
            </span>
          </li>
        ))}
      </ul>
      {isOneStage && entry.views[0]?.notebook && (
        <button className="sb-Button" onClick={() => actions.openNotebook(entry.views[0]?.id ?? entry.key)}>
          {nameOfFile(context, entry.views[0])}
        </button>
      )}
    </aside>
  );
}

/** Buttons that show what comes before and after the stage. */
function WayButtons({ context, ways }: { context: Context; ways: Ways }): React.JSX.Element | null {
  const { trans } = context;
  if (ways === null) {
    return null;
  }
  return (
    <div className="sb-Buttons" role="group" aria-label={trans.__('Show in the graph')}>
      {(['upstream', 'downstream'] as const).map(way => (
        <button
          key={way}
          className="sb-Button"
          aria-pressed={ways.traced === way}
          title={way === 'upstream' ? trans.__('All before it (U)') : trans.__('All after it (D)')}
          onClick={() => ways.follow(way)}
        >
          {way === 'upstream' ? trans.__('◂ Upstream') : trans.__('Downstream ▸')}
        </button>
      ))}
    </div>
  );
}

/** Buttons that run a stage with others, or alone. */
function RunScopes(props: { context: Context; stage: string; isEnabled: boolean }): React.JSX.Element {
  const { actions, trans } = props.context;
  const scopes = [
    ['to', trans.__('Run to here')],
    ['from', trans.__('Run from here')],
    ['only', trans.__('Run only this')]
  ] as const;
  return (
    <>
      {scopes.map(([how, text]) => (
        <button
          key={how}
          className="sb-Button"
          disabled={!props.isEnabled}
          onClick={() => actions.run(how, props.stage)}
        >
          {text}
        </button>
      ))}
    </>
  );
}
