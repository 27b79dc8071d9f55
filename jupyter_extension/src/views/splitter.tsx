/** The edge of a pane, which makes it larger or smaller: with the mouse, the arrow keys, or a double click for the usual size. */

import * as React from 'react';

import type { Context } from './context';
import { useKept, useSize } from './hooks';

/** In pixels. A `usual` size of 0 is the one that the pane takes by itself. */
export interface Limits {
  readonly least: number;
  readonly usual: number;
  readonly most: number;
  readonly step: number;
}

export interface Split {
  readonly size: number;
  readonly isDragged: boolean;
  readonly limits: Limits;
  /** While it is dragged; null once it is not. */
  readonly drag: (size: number | null) => void;
  readonly keep: (size: number) => void;
}

/** The size of a pane, kept over a reload under a name. */
export function useSplit(context: Context, name: string, limits: Limits): Split {
  const [kept, keep] = useKept(context, name, limits.usual);
  const [dragged, drag] = React.useState<number | null>(null);
  const within = (size: number): number => Math.round(Math.max(limits.least, Math.min(limits.most, size)));
  return {
    size: dragged ?? kept,
    isDragged: dragged !== null,
    limits,
    drag: size => drag(size === null ? null : within(size)),
    keep: size => keep(size === limits.usual ? size : within(size))
  };
}

const GROWS = { left: 'ArrowLeft', top: 'ArrowUp' } as const;
const SHRINKS = { left: 'ArrowRight', top: 'ArrowDown' } as const;

/** It stands at the left or at the top edge of the pane, its parent element. */
export function Splitter(props: { split: Split; side: 'left' | 'top'; label: string }): React.JSX.Element {
  const { side } = props;
  const { size, isDragged, limits, drag, keep } = props.split;
  const pane = React.useRef<HTMLElement | null>(null);
  const real = useSize(pane)[side === 'left' ? 'width' : 'height'];
  /** There may be less room than it was given: then a key goes on from what is seen. */
  const shown = (): number => {
    const box = pane.current?.getBoundingClientRect();
    const seen = side === 'left' ? box?.width : box?.height;
    return size === 0 ? (seen ?? 0) : Math.min(size, seen ?? size);
  };
  return (
    <div
      className="sb-Splitter"
      ref={node => {
        pane.current = node?.parentElement ?? null;
      }}
      role="separator"
      tabIndex={0}
      data-side={side}
      aria-orientation={side === 'left' ? 'vertical' : 'horizontal'}
      aria-label={props.label}
      aria-valuemin={limits.least}
      aria-valuemax={limits.most}
      aria-valuenow={size || real}
      onKeyDown={event => {
        const sign = event.key === GROWS[side] ? 1 : event.key === SHRINKS[side] ? -1 : 0;
        if (sign !== 0) {
          event.preventDefault();
          keep(shown() + sign * limits.step);
        }
      }}
      onDoubleClick={() => keep(limits.usual)}
      onPointerDown={event => {
        event.preventDefault();
        event.currentTarget.focus();
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={event => {
        const box = pane.current?.getBoundingClientRect();
        if (box !== undefined && event.currentTarget.hasPointerCapture(event.pointerId)) {
          drag(side === 'left' ? box.right - event.clientX : box.bottom - event.clientY);
        }
      }}
      onLostPointerCapture={() => {
        if (isDragged) {
          keep(size);
          drag(null);
        }
      }}
    />
  );
}
