/** The item in the status bar: what runs, what failed, or that all is well. */

import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import { pipelineStatus } from '../model/pipeline-status';
import type { Context } from './context';
import { useStore } from './hooks';

export class StatusItem extends ReactWidget {
  constructor(private readonly _context: Context) {
    super();
    this.addClass('sb-StatusPlace');
  }

  protected override render(): React.JSX.Element {
    return <Status context={this._context} />;
  }
}

function Status(props: { context: Context }): React.JSX.Element | null {
  const { store, launcher, actions, trans } = props.context;
  useStore(props.context);
  if (store.pipeline === null) {
    return null;
  }
  const status = pipelineStatus(store.snapshot, store.pipeline.name, store.views, launcher.isCancelling);
  return (
    <button
      className="sb-Status"
      data-state={status.state}
      title={trans.__('Stagebook. %1. A click shows it in the graph', status.label)}
      aria-label={trans.__('Stagebook: %1', status.label)}
      onClick={() => actions.showInGraph(status.pipeline, status.stage)}
    >
      {status.text}
    </button>
  );
}
