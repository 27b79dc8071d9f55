/** The view of changes: why a stage would run, and its notebook compared with what last ran. */

import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Context } from './context';
import { stagebookIcon } from './icon';
import { ago } from '../model/format';
import { useAnswer, useStore } from './hooks';
import { DecisionSign } from './parts';
import type { CellDiff, ChangesReply, WhyReply } from '../wire';

export class ChangesView extends ReactWidget {
  constructor(
    private readonly _context: Context,
    private readonly _stage: string
  ) {
    super();
    this.id = `stagebook-changes-${_stage}`;
    this.title.label = _context.trans.__('%1: changes', _stage);
    this.title.icon = stagebookIcon;
    this.title.closable = true;
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
  const run = info?.has_notebook && info.ended !== null ? info.run : '';
  const attempt = info?.attempt ?? 0;
  const mark = JSON.stringify([pipeline, store.planner.draft.texts, info?.run, info?.status]);
  const isRight = !store.planner.hasMistakes;
  const why = useAnswer(
    () => (isRight ? store.api.why(store.projectPath, pipeline, stage, store.planner.draft) : null),
    [mark, isRight]
  );
  const cells = useAnswer(
    () => (run === '' ? null : store.api.changes(store.projectPath, run, stage, attempt)),
    [mark, store.planner.plan]
  );
  return (
    <>
      <h1>{stage}</h1>
      {why.error && <p className="sb-FieldError">{why.error}</p>}
      {why.value && <Why reply={why.value} />}
      <h2>{trans.__('The notebook, compared with what last ran')}</h2>
      {run === '' && <p>{info?.has_notebook ? trans.__('It runs now.') : trans.__('It did not run yet.')}</p>}
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

function Why(props: { reply: WhyReply }): React.JSX.Element {
  const { reply } = props;
  return (
    <>
      <p>
        <DecisionSign decision={reply.decision} /> {reply.reasons.join('; ')}
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
        .filter(diff => diff.title !== 'code')
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

function titleOf(cell: CellDiff): string {
  const place =
    cell.change === 'added'
      ? `cell ${cell.now} is new`
      : cell.change === 'removed'
        ? `cell ${cell.before} is gone`
        : `cell ${cell.now} changed`;
  return cell.kind === 'code' ? place : `${place} (${cell.kind})`;
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
