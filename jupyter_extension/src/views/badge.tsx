/** The badge in the toolbar of a notebook that is a stage, and of an executed notebook. */

import type { NotebookPanel } from '@jupyterlab/notebook';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Context } from './context';
import { executedOf } from '../services/executed-drive';
import { cellOf, counts, type StageView } from '../model/stage-state';
import { duration, plural } from '../model/format';
import { useStore } from './hooks';
import { Ago, Elapsed, Glyph } from './parts';
import type { PipelineInfo } from '../wire';

export class Badge extends ReactWidget {
  constructor(
    private readonly _context: Context,
    private readonly _panel: NotebookPanel
  ) {
    super();
    this.addClass('sb-BadgePlace');
  }

  protected override render(): React.JSX.Element {
    return <BadgeView context={this._context} path={() => this._panel.context.path} />;
  }
}

function BadgeView(props: { context: Context; path: () => string }): React.JSX.Element | null {
  const { context } = props;
  const { store, actions, trans } = context;
  useStore(context);
  const executed = executedOf(props.path());
  if (executed !== null) {
    const run = store.snapshot.runs.find(one => one.id === executed.run);
    const notebook = store.view(executed.stage)?.notebook;
    return (
      <span className="sb-BadgeText">
        <span title={executed.run}>
          {trans.__('Executed: %1', executed.stage)}
          {run && (
            <>
              {' '}
              <Ago then={run.started} />
            </>
          )}
        </span>
        {notebook && (
          <>
            <button
              className="sb-Badge"
              title={trans.__('Open the notebook at the cell that is chosen here')}
              onClick={() => actions.editCell()}
            >
              <span aria-hidden="true">✎</span> {trans.__('Edit this cell')}
            </button>
            <button className="sb-Badge" onClick={() => actions.openNotebook(executed.stage)}>
              {trans.__('Back to the notebook')}
            </button>
          </>
        )}
      </span>
    );
  }
  const found = store.stagesOf(props.path());
  const here = found.filter(one => one.pipeline.key === store.pipeline?.key);
  const chosen = store.view(store.selected)?.stage;
  const own = here.find(one => one.stage.name === chosen) ?? here[0] ?? found[0];
  if (own === undefined) {
    return null;
  }
  const views = store.viewsOf(own.pipeline, own.stage.name);
  const state = counts(views)[0]?.[0] ?? 'new';
  const view = views.find(one => one.state === state);
  const id = view?.id ?? own.stage.name;
  const label = [own.stage.name, state, view?.why, view?.findings].filter(Boolean).join(', ');
  return (
    <button
      className="sb-Badge"
      data-state={state}
      aria-haspopup="menu"
      aria-label={trans.__('Stage %1', label)}
      title={[view?.why, view?.next && `next run: ${view.next}`, ...(view?.reasons ?? [])]
        .filter(Boolean)
        .join('\n')}
      onClick={event => {
        const node = event.currentTarget;
        choose(context, own.pipeline, id);
        actions.openMenu(id, node);
      }}
    >
      <Glyph state={state} /> {own.stage.name}
      <span className="sb-BadgeDetail">
        {views.length > 1 ? `${plural(views.length, 'instance')}, ` : ''}
        {view === undefined ? state : <Detail view={view} />}
      </span>
      <span aria-hidden="true"> ▾</span>
    </button>
  );
}

/** Open the pipeline of a stage, which commands are about, and select the stage. */
function choose(context: Context, pipeline: PipelineInfo, stage: string): void {
  if (context.store.pipeline?.key !== pipeline.key) {
    context.store.openPipeline(pipeline.key);
  }
  context.store.select(stage);
}

function Detail(props: { view: StageView }): React.JSX.Element {
  const { view } = props;
  const { info } = view;
  const cell = cellOf(view);
  if (view.state === 'running' && info?.started) {
    return (
      <>
        {view.state} {cell}, <Elapsed started={info.started} expected={info.expected} />
      </>
    );
  }
  return (
    <>
      {[view.state, cell].filter(Boolean).join(' ')}
      {view.findings && ` · ! ${view.findings}`}
      {info?.started && info.ended ? (
        <>
          {' · '}
          <Ago then={info.ended} />, {duration(info.ended - info.started)}
        </>
      ) : null}
    </>
  );
}
