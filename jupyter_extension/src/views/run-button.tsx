/** Starting and stopping a run: one primary button, and a menu with the other ways. */

import { caretDownIcon, runIcon, stopIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Context } from './context';

export function RunButtons(props: { context: Context }): React.JSX.Element {
  const { store, launcher, actions, trans } = props.context;
  return (
    <span className="sb-Split" role="group" aria-label={trans.__('Run')}>
      {store.liveRun === undefined ? (
        <button
          className="sb-Button sb-Primary"
          disabled={!launcher.canStart}
          title={trans.__('Run all stages that are not up to date')}
          onClick={() => actions.runAll()}
        >
          <runIcon.react tag="span" className="sb-Icon" />
          {launcher.isStarting ? trans.__('Starting …') : trans.__('Run all')}
        </button>
      ) : launcher.isCancelling ? (
        <button
          className="sb-Button sb-Primary"
          data-kind="kill"
          title={trans.__(
            'The run stops, and saves its notebooks. This ends it at once, without saving them'
          )}
          onClick={() => actions.kill()}
        >
          <stopIcon.react tag="span" className="sb-Icon" />
          {trans.__('Kill now …')}
        </button>
      ) : (
        <button
          className="sb-Button sb-Primary"
          data-kind="cancel"
          title={trans.__('Stop the run; its notebooks are saved')}
          onClick={() => actions.cancel()}
        >
          <stopIcon.react tag="span" className="sb-Icon" />
          {trans.__('Cancel')}
        </button>
      )}
      <button
        className="sb-Button sb-More"
        disabled={store.pipeline === null}
        aria-haspopup="menu"
        aria-label={trans.__('Other ways to run')}
        title={trans.__('Other ways to run: with parameters, resume, retry …')}
        onClick={event => actions.openRunMenu(event.currentTarget)}
      >
        <caretDownIcon.react tag="span" className="sb-Icon" />
      </button>
    </span>
  );
}
