/** The panel in the side bar: a pipeline, the ways to its views, and the stages. */

import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Context } from './context';
import { useStore } from './hooks';
import { stagebookIcon } from './icon';
import { search } from '../model/grouping';
import { ConnectionNote, Counts, GivenParams, PipelineSelect, Problems, RunLine, StageSearch } from './parts';
import { RunButtons } from './run-button';
import { StageTree } from './stage-tree';
import { ViewsBar } from './views-bar';

export class StagesPanel extends ReactWidget {
  constructor(private readonly _context: Context) {
    super();
    this.id = 'stagebook-panel';
    this.title.icon = stagebookIcon;
    this.title.caption = _context.trans.__('Stagebook: pipelines of notebooks');
    this.addClass('sb-Panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Stagebook');
  }

  protected override render(): React.JSX.Element {
    return <Panel context={this._context} />;
  }
}

function Panel(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, actions, trans } = context;
  useStore(context);
  const [text, setText] = React.useState('');
  if (store.project === null && store.problem === null && store.connection === 'live') {
    return (
      <div className="sb-Empty">
        <p>{trans.__('There is no project in this folder.')}</p>
        <p>
          {trans.__('Make one in a terminal:')} <code>stagebook init</code>
        </p>
        <button className="sb-Button" onClick={() => actions.refresh()}>
          {trans.__('Look again')}
        </button>
      </div>
    );
  }
  const views = search(store.views, text);
  return (
    <>
      <div className="sb-Head">
        <PipelineSelect context={context} />
        <div className="sb-HeadRow">
          <RunButtons context={context} />
          <RunLine context={context} />
        </div>
        <ViewsBar context={context} />
        <GivenParams context={context} />
        <Counts views={store.views} words />
      </div>
      <ConnectionNote context={context} />
      <Problems context={context} />
      {store.views.length > 5 && <StageSearch context={context} text={text} search={setText} />}
      {store.pipeline !== null && (
        <button
          className="sb-Button sb-Add"
          title={trans.__('Add a stage to the pipeline file')}
          onClick={() => void actions.addStage(true).catch(actions.say)}
        >
          <span aria-hidden="true">+</span> {trans.__('Stage')}
        </button>
      )}
      <StageTree context={context} views={views} isSearched={text !== ''} />
    </>
  );
}
