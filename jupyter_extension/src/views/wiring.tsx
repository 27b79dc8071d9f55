/** Drawing a line from one card to another: the second stage is to read an output of the first. */

import * as React from 'react';

import { NODE } from '../model/graph-layout';

/** The line that is drawn, in the coordinates of the graph. */
export interface Wire {
  readonly from: { readonly x: number; readonly y: number };
  readonly to: { readonly x: number; readonly y: number };
}

/** What begins a line. The menu of a stage does the same for the keyboard. */
export const Port = React.memo(function Port(props: { title: string }): React.JSX.Element {
  return (
    <circle className="sb-Port" cx={NODE.width} cy={NODE.height / 2} r={7}>
      <title>{props.title}</title>
    </circle>
  );
});

/**
 * The line that is being drawn, and what begins one. `connect` is told the keys of the cards at its ends; Escape gives it up, and so
 * does an end that is no other card.
 */
export function useWiring(connect: (from: string, to: string) => void): {
  readonly wire: Wire | null;
  readonly onPointerDown: (event: React.PointerEvent<SVGSVGElement>) => void;
} {
  const [wire, setWire] = React.useState<Wire | null>(null);
  const onPointerDown = (event: React.PointerEvent<SVGSVGElement>): void => {
    const port = (event.target as Element).closest<SVGCircleElement>('.sb-Port');
    const from = keyAt(port);
    if (port === null || from === null || event.button !== 0) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    const svg = event.currentTarget;
    const box = port.getBoundingClientRect();
    const start = within(svg, box.left + box.width / 2, box.top + box.height / 2);
    const over = new AbortController();
    const end = (): void => {
      over.abort();
      setWire(null);
    };
    const listen = { signal: over.signal };
    const move = (now: PointerEvent): void =>
      setWire({ from: start, to: within(svg, now.clientX, now.clientY) });
    const drop = (now: PointerEvent): void => {
      end();
      const to = keyAt(document.elementFromPoint(now.clientX, now.clientY));
      if (to !== null && to !== from) {
        connect(from, to);
      }
    };
    document.addEventListener('pointermove', move, listen);
    document.addEventListener('pointerup', drop, listen);
    document.addEventListener('pointercancel', end, listen);
    document.addEventListener('keydown', pressed => pressed.key === 'Escape' && end(), listen);
  };
  return { wire, onPointerDown };
}

export function WireLine({ wire }: { wire: Wire | null }): React.JSX.Element | null {
  return wire === null ? null : (
    <line
      className="sb-Wire"
      aria-hidden="true"
      x1={wire.from.x}
      y1={wire.from.y}
      x2={wire.to.x}
      y2={wire.to.y}
    />
  );
}

function keyAt(element: Element | null): string | null {
  return element?.closest<SVGGElement>('.sb-Node')?.dataset.key ?? null;
}

/** A place on the screen, in the coordinates of the drawing. */
function within(svg: SVGSVGElement, x: number, y: number): { x: number; y: number } {
  return new DOMPoint(x, y).matrixTransform(svg.getScreenCTM()?.inverse());
}
