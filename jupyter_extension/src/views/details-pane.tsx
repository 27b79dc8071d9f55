/** A pane at the right side, with a splitter that makes it wider, and a way to close it. */

import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Context } from './context';
import { Splitter, useSplit } from './splitter';

const WIDTH = { least: 240, usual: 340, most: 900, step: 24 }; // pixels

export function DetailsPane(props: {
  context: Context;
  close: () => void;
  children: React.ReactNode;
}): React.JSX.Element {
  const { trans } = props.context;
  const split = useSplit(props.context, 'details-width', WIDTH);
  return (
    <div
      className="sb-Pane"
      style={{ width: split.size }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          props.close();
        }
      }}
    >
      <Splitter split={split} side="left" label={trans.__('Width of the details')} />
      <button
        className="sb-PaneClose"
        aria-label={trans.__('Close the details')}
        title={trans.__('Close the details (Esc)')}
        onClick={props.close}
      >
        <closeIcon.react tag="span" width="16px" />
      </button>
      {props.children}
    </div>
  );
}
