/** The whole graph in small, where it does not fit: it shows which part is in sight, and moves there by the mouse. */

import * as React from 'react';

import { type Layout, NODE } from '../model/graph-layout';
import type { Entry } from '../model/grouping';
import { type Frame, frameOf, SIZE, sizeOfMap } from '../model/minimap';
import { useSize } from './hooks';
import { MARGIN } from './viewport';

const AROUND = 28; // pixels between the map and the edges

/** All that it does is done by scrolling as well, so that neither the Tab key nor a screen reader stops there. */
export function Minimap(props: {
  entries: readonly Entry[];
  placed: Layout;
  scroll: React.RefObject<HTMLDivElement>;
  scale: number;
}): React.JSX.Element | null {
  const { placed, scale, scroll } = props;
  const seen = useSize(scroll);
  const drawn = {
    width: (placed.width + 2 * MARGIN) * scale,
    height: (placed.height + 2 * MARGIN) * scale
  };
  const fits = drawn.width <= seen.width + 1 && drawn.height <= seen.height + 1;
  const isShown = seen.width > 2 * SIZE.width && !fits;
  const frame = React.useRef<SVGRectElement>(null);
  const map = sizeOfMap(drawn);
  React.useEffect(() => {
    const node = scroll.current;
    const show = (): void => {
      const { scrollLeft: left, scrollTop: top } = node ?? { scrollLeft: 0, scrollTop: 0 };
      place(frame.current, frameOf({ left, top, ...seen }, drawn, map));
    };
    show();
    // What is below the map can be scrolled out from there.
    const right = isShown && drawn.width > seen.width ? map.width + AROUND : 0;
    const bottom = isShown && drawn.height > seen.height ? map.height + AROUND : 0;
    node?.style.setProperty('--sb-map-right', `${right}px`);
    node?.style.setProperty('--sb-map-bottom', `${bottom}px`);
    node?.addEventListener('scroll', show, { passive: true });
    return () => node?.removeEventListener('scroll', show);
  });
  if (!isShown) {
    return null;
  }
  const move = (event: React.PointerEvent<SVGSVGElement>): void => {
    const box = event.currentTarget.getBoundingClientRect();
    scroll.current?.scrollTo(
      ((event.clientX - box.left) / map.width) * drawn.width - seen.width / 2,
      ((event.clientY - box.top) / map.height) * drawn.height - seen.height / 2
    );
  };
  return (
    <svg
      className="sb-Minimap"
      aria-hidden="true"
      width={map.width}
      height={map.height}
      viewBox={`0 0 ${map.width} ${map.height}`}
      onPointerDown={event => {
        event.preventDefault(); // the focus stays where it is
        event.currentTarget.setPointerCapture(event.pointerId);
        move(event);
      }}
      onPointerMove={event => event.currentTarget.hasPointerCapture(event.pointerId) && move(event)}
    >
      <g transform={`scale(${map.width / (placed.width + 2 * MARGIN)}) translate(${MARGIN} ${MARGIN})`}>
        <Blocks entries={props.entries} placed={placed} />
      </g>
      <rect ref={frame} className="sb-MinimapFrame" />
    </svg>
  );
}

function place(rect: SVGRectElement | null, frame: Frame): void {
  for (const [name, value] of Object.entries(frame)) {
    rect?.setAttribute(name, String(value));
  }
}

/** The nodes: one path for each state, since there may be hundreds of nodes. */
function Blocks(props: { entries: readonly Entry[]; placed: Layout }): React.JSX.Element {
  const paths = new Map<string, string>();
  for (const entry of props.entries) {
    const at = props.placed.nodes.get(entry.key);
    if (at !== undefined) {
      const block = `M${at.x} ${at.y}h${NODE.width}v${NODE.height}h${-NODE.width}z`;
      paths.set(entry.state, (paths.get(entry.state) ?? '') + block);
    }
  }
  return (
    <>
      {[...paths].map(([state, path]) => (
        <path key={state} className="sb-MinimapNode" data-state={state} d={path} />
      ))}
    </>
  );
}
