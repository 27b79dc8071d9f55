/** The stage that was chosen in the graph. */

import * as React from 'react';

import type { Context } from './context';
import { cellOf, type StageView } from '../model/stage-state';
import { bytes, duration, plain, plural, value } from '../model/format';
import type { Entry } from '../model/grouping';
import { Monitors } from './monitors';
import { Breakable, Counts, DecisionSign, Elapsed, Glyph } from './parts';
import type { PlanStage } from '../wire';

/** A stage with all its facts. The texts of notebooks are shown as text, never as markup. */
export function StageDetails(props: {
  context: Context;
  view: StageView | undefined;
}): React.JSX.Element | null {
  const { context, view } = props;
  const { store, launcher, actions, trans } = context;
  if (view === undefined) {
    return null;
  }
  const info = view.info;
  const planned = store.planner.plan?.stages.find(stage => stage.id === view.id);
  return (
    <aside className="sb-Details" aria-label={trans.__('The stage %1', view.id)}>
      <h2>
        <Glyph state={view.state} /> {view.id}
      </h2>
      <p className="sb-Detail">
        {[view.state, cellOf(view)].filter(Boolean).join(' ')}
        {view.state === 'running' && info?.started ? (
          <>
            , <Elapsed started={info.started} expected={info.expected} />
          </>
        ) : null}
      </p>
      {view.description && <p>{view.description}</p>}
      {view.next ? (
        <p>{trans.__('Next run: %1', view.next)}</p>
      ) : (
        planned !== undefined && (
          <p>
            <DecisionSign decision={planned.decision} restores={planned.restores.length > 0} />{' '}
            {planned.reasons[0]}
          </p>
        )
      )}
      {planned?.on_disk && <p>{planned.on_disk}</p>}
      {view.reasons.length > 1 && (
        <ul className="sb-Reasons">
          {view.reasons.slice(1).map(reason => (
            <li key={reason}>{reason}</li>
          ))}
        </ul>
      )}
      {info !== null && info.checks.length > 0 && (
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
      )}
      <div className="sb-Buttons">
        {view.notebook && (
          <button className="sb-Button" onClick={() => actions.openNotebook(view.id)}>
            {trans.__('Notebook')}
          </button>
        )}
        {info?.has_notebook && (
          <>
            <button className="sb-Button" onClick={() => actions.openExecuted(view.id)}>
              {trans.__('Executed notebook')}
            </button>
            {info.cause === 'exception' && (
              <button className="sb-Button" onClick={() => actions.openFailing(view.id)}>
                {trans.__('Failing cell')}
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
      <div className="sb-Buttons">
        <RunScopes context={context} stage={view.id} isEnabled={launcher.canStart && view.notebook !== ''} />
      </div>
      {planned !== undefined && <Contract context={context} planned={planned} />}
      {info !== null && (
        <dl>
          <dt>{trans.__('Run')}</dt>
          <dd>{info.run}</dd>
          {info.attempt > 0 && (
            <>
              <dt>{trans.__('Attempt')}</dt>
              <dd>{info.attempt}</dd>
            </>
          )}
          {info.started !== null && info.ended !== null && (
            <>
              <dt>{trans.__('Took')}</dt>
              <dd>{duration(info.ended - info.started)}</dd>
            </>
          )}
          {info.memory > 0 && (
            <>
              <dt>{trans.__('Memory')}</dt>
              <dd>{bytes(info.memory)}</dd>
            </>
          )}
        </dl>
      )}
      {info !== null && <Monitors context={context} info={info} />}
      {info?.message && <p className="sb-Message">{info.message}</p>}
      {info?.traceback && (
        <pre className="sb-Traceback" tabIndex={0} aria-label={trans.__('Traceback')}>
          {plain(info.traceback)}
        </pre>
      )}
    </aside>
  );
}

/** A stage with several instances: how each of them is. */
export function GroupDetails(props: {
  context: Context;
  entry: Entry;
  unfold: () => void;
}): React.JSX.Element {
  const { context, entry } = props;
  const { store, launcher, actions, trans } = context;
  return (
    <aside className="sb-Details" aria-label={trans.__('The stage %1', entry.key)}>
      <h2>
        <Glyph state={entry.state} /> {entry.label}
      </h2>
      <p className="sb-Detail">{plural(entry.views.length, 'instance')}</p>
      <Counts views={entry.views} words />
      <div className="sb-Buttons">
        <button className="sb-Button" onClick={props.unfold}>
          {trans.__('Unfold')}
        </button>
        <RunScopes context={context} stage={entry.key} isEnabled={launcher.canStart} />
      </div>
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
      {entry.views[0]?.notebook && (
        <button className="sb-Button" onClick={() => actions.openNotebook(entry.views[0]?.id ?? entry.key)}>
          {trans.__('Notebook')}
        </button>
      )}
    </aside>
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

const TABLE = /\.(parquet|pq|csv|tsv|jsonl|ndjson|duckdb)(\.gz)?$|\/[^./]*$/;

/** What must hold of an output: a link to the file that says it, or to a draft of one. */
function DataContract(props: {
  context: Context;
  planned: PlanStage;
  output: string;
}): React.JSX.Element | null {
  const { planned, output } = props;
  const { actions, trans } = props.context;
  const path = planned.contracts[output];
  if (path !== undefined) {
    return (
      <button className="sb-Link" onClick={() => actions.openPipelineFile(1, 1, path)}>
        {trans.__('contract')}
      </button>
    );
  }
  return TABLE.test(String(planned.outputs[output])) ? (
    <button
      className="sb-Link"
      title={trans.__('Propose what must hold of it, from what it holds now')}
      onClick={() => actions.draftContract(`${planned.stage}.${output}`)}
    >
      {trans.__('draft a contract')}
    </button>
  ) : null;
}

/** The parameters, inputs, outputs and conditions of a stage. */
function Contract(props: { context: Context; planned: PlanStage }): React.JSX.Element | null {
  const { context, planned } = props;
  const rows: [string, string, string?][] = [
    ...Object.entries(planned.params).map(([name, given]): [string, string] => [name, value(given)]),
    ...Object.entries(planned.inputs).map(([name, path]): [string, string] => [`${name} ←`, value(path)]),
    ...Object.entries(planned.outputs).map(([name, path]): [string, string, string] => [
      `${name} →`,
      value(path),
      name
    ]),
    ...(planned.when ? [['when', planned.when] as [string, string]] : []),
    ...(planned.foreach ? [['foreach', planned.foreach] as [string, string]] : [])
  ];
  if (rows.length === 0) {
    return null;
  }
  return (
    <dl className="sb-Contract">
      {rows.map(([name, text, output]) => (
        <React.Fragment key={name}>
          <dt>{name}</dt>
          <dd>
            <Breakable text={text} />{' '}
            {output !== undefined && <DataContract context={context} planned={planned} output={output} />}
          </dd>
        </React.Fragment>
      ))}
    </dl>
  );
}
