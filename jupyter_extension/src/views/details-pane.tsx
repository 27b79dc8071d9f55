/** A pane at the right side, with a splitter that makes it wider, and a way to close it. */

import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Context } from './context';
import { useKept } from './hooks';

const WIDTH = { least: 240, usual: 340, most: 900, step: 24 }; // pixels

export function DetailsPane(props: {
  context: Context;
  close: () => void;
  children: React.ReactNode;
}): React.JSX.Element {
  const { trans } = props.context;
  const [kept, keep] = useKept(props.context, 'details-width', WIDTH.usual);
  const [dragged, setDragged] = React.useState<number | null>(null);
  const width = dragged ?? kept;
  return (
    <div
      className="sb-Pane"
      style={{ width }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          event.stopPropagation();
          props.close();
        }
      }}
    >
      <div
        className="sb-Splitter"
        role="separator"
        tabIndex={0}
        aria-orientation="vertical"
        aria-label={trans.__('Width of the details')}
        aria-valuemin={WIDTH.least}
        aria-valuemax={WIDTH.most}
        aria-valuenow={width}
        onKeyDown={event => {
          const sign = { ArrowLeft: 1, ArrowRight: -1 }[event.key];
          if (sign !== undefined) {
            event.preventDefault();
            keep(within(width + sign * WIDTH.step));
          }
        }}
        onDoubleClick={() => keep(WIDTH.usual)}
        onPointerDown={event => {
          event.preventDefault();
          event.currentTarget.focus();
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={event => {
          if (event.currentTarget.hasPointerCapture(event.pointerId)) {
            const right = event.currentTarget.parentElement?.getBoundingClientRect().right ?? 0;
            setDragged(within(right - event.clientX));
          }
        }}
        onLostPointerCapture={() => {
          if (dragged !== null) {
            keep(dragged);
            setDragged(null);
          }
        }}
      />
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

function within(width: number): number {
  return Math.round(Math.max(WIDTH.least, Math.min(WIDTH.most, width)));
}
