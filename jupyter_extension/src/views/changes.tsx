/** The view of changes: why a stage would run, and its notebook compared with what last ran. */

import * as React from 'react';

import type { Context } from './context';
import { ago } from '../model/format';
import { useAnswer, useStore } from './hooks';
import { MainView } from './main-view';
import { NextRunSign } from './parts';
import type { CellDiff, ChangesReply, StageInfo, WhyReply } from '../wire';

export class ChangesView extends MainView {
  constructor(
    context: Context,
    private readonly _stage: string
  ) {
    super(context, `stagebook-changes-${_stage}`, context.trans.__('%1: changes', _stage));
    this.addClass('sb-Page');
  }

  protected override render(): React.JSX.Element {
    return <Changes context={this._context} stage={this._stage} />;
  }
}

function Changes(props: { context: Context; stage: string }): React.JSX.Element {
  const { context, stage } = props;
  const { store, actions, trans } = context;
  useStore(context);
  const pipeline = store.pipeline?.key ?? '';
  const info = store.view(stage)?.info;
  const isRunning = info?.status === 'running' || info?.status === 'retrying';
  const run = info?.has_notebook && !isRunning ? info.run : '';
  const attempt = info?.attempt ?? 0;
  const { planned } = store.planner;
  const mark = JSON.stringify([pipeline, store.planner.draft.texts, info?.run, info?.status, planned]);
  const isRight = pipeline !== '' && !store.planner.hasMistakes;
  const why = useAnswer(
    () => (isRight ? store.api.why(store.projectPath, pipeline, stage, store.planner.draft) : null),
    [mark, isRight]
  );
  const cells = useAnswer(
    () => (run === '' ? null : store.api.changes(store.projectPath, run, stage, attempt)),
    [mark]
  );
  return (
    <>
      <h1>{stage}</h1>
      {why.error && <p className="sb-FieldError">{why.error}</p>}
      {why.value && <Why reply={why.value} compared={cells.value?.run ?? ''} />}
      <h2>
        {info?.status === 'failed'
          ? trans.__('The notebook, compared with the attempt that failed')
          : trans.__('The notebook, compared with what last ran')}
      </h2>
      {run === '' && <p>{notComparedWhy(context, info)}</p>}
      {cells.error && <p className="sb-FieldError">{cells.error}</p>}
      {cells.value && (
        <>
          <div className="sb-Buttons">
            <button className="sb-Button" onClick={() => actions.openNotebook(stage)}>
              {trans.__('Notebook')}
            </button>
            <button className="sb-Button" onClick={() => actions.openExecuted(stage)}>
              {trans.__('Executed notebook')}
            </button>
            {actions.canCompareNotebooks() && (
              <button
                className="sb-Button"
                onClick={() => {
                  const { executed, notebook } = cells.value as ChangesReply;
                  actions.compareNotebooks(executed, notebook);
                }}
              >
                {trans.__('With nbdime')}
              </button>
            )}
          </div>
          <Cells reply={cells.value} />
        </>
      )}
    </>
  );
}

/** Why there is nothing to compare the notebook with. */
function notComparedWhy({ trans }: Context, info: StageInfo | null | undefined): string {
  if (!info) {
    return trans.__('It did not run yet.');
  }
  switch (info.status) {
    case 'running':
    case 'retrying':
      return trans.__('It runs now.');
    case 'pending':
      return trans.__('Its turn in the run %1 has not come yet.', info.run);
    default:
      return trans.__('It did not run in the run %1.', info.run);
  }
}

/** The reasons of the plan. `compared` is the run that the notebook is compared with below, with the cells. */
function Why(props: { reply: WhyReply; compared: string }): React.JSX.Element {
  const { reply, compared } = props;
  return (
    <>
      <p>
        <NextRunSign word={reply.next_run} /> {reply.reasons.join('; ')}
        {reply.last_at !== null && (
          <span className="sb-Help">
            {' '}
            {reply.changes.length > 0 ? 'since' : 'its result is of'} the run {reply.last_run},{' '}
            {ago(reply.last_at, Date.now() / 1000)}
          </span>
        )}
      </p>
      <ul>
        {reply.changes.map(text => (
          <li key={text}>{text}</li>
        ))}
        {Object.entries(reply.before).map(([name, text]) => (
          <li key={name} className="sb-Help">
            {name}, before it: {text}
          </li>
        ))}
        {reply.unresolved.map(text => (
          <li key={text} className="sb-Help">
            not followed: {text}
          </li>
        ))}
      </ul>
      {reply.diffs
        .filter(diff => diff.title !== 'code' || compared !== reply.last_run)
        .map(diff => (
          <section key={diff.title}>
            <h3>{diff.title}</h3>
            <Lines lines={diff.lines} label={diff.title} />
          </section>
        ))}
    </>
  );
}

function Cells(props: { reply: ChangesReply }): React.JSX.Element {
  const changed = props.reply.cells.filter(cell => cell.change !== 'same');
  const same = props.reply.cells.length - changed.length;
  return (
    <>
      <p className="sb-Help">
        {props.reply.run}, attempt {props.reply.attempt}: {changed.length} of {props.reply.cells.length} cells
        differ{same === props.reply.cells.length ? '; the notebook is as it ran' : ''}
      </p>
      {changed.map(cell => (
        <section key={`${cell.before}-${cell.now}`}>
          <h3>{titleOf(cell)}</h3>
          <Lines lines={cell.lines} label={titleOf(cell)} />
        </section>
      ))}
    </>
  );
}

/** Such as `cell 3 changed ([4] in the executed notebook)`. Cells of text have no number. */
function titleOf(cell: CellDiff): string {
  const what = cell.number === null ? `a ${cell.kind} cell` : `cell ${cell.number}`;
  const how = { added: 'is new', removed: 'is gone', changed: 'changed', same: 'is the same' }[cell.change];
  const isOther = cell.executed !== null && cell.executed !== cell.number;
  return `${what} ${how}${isOther ? ` ([${cell.executed}] in the executed notebook)` : ''}`;
}

function Lines(props: { lines: readonly string[]; label: string }): React.JSX.Element {
  return (
    <pre className="sb-Diff" tabIndex={0} aria-label={props.label}>
      {props.lines.map((text, at) => (
        <span key={at} data-line={text.charAt(0)}>
          {text}
          {'\n'}
        </span>
      ))}
    </pre>
  );
}
