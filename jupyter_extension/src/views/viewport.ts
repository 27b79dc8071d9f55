/** The part of a graph that is in sight: zooming around a place, dragging it, and bringing a node into it. */

import * as React from 'react';

import type { Layout } from '../model/graph-layout';
import { useSize } from './hooks';

export const MARGIN = 24; // around the graph, in its own units
const ZOOM = { least: 0.15, most: 2.5, step: 1.25 };
const READABLE = 0.7; // the smallest scale before somebody zooms
const WHEEL = 100; // what a step of a wheel is told as

export interface Viewport {
  readonly scale: number;
  /** One step larger (1) or smaller (-1), around the middle. */
  readonly zoom: (steps: number) => void;
  /** All of the graph. */
  readonly fit: () => void;
  /** Bring a node into sight, in the middle, unless it is there. */
  readonly reveal: (key: string) => void;
  /** Whether its size is known. */
  readonly isReady: boolean;
  readonly onPointerDown: (event: React.PointerEvent<HTMLElement>) => void;
}

interface Anchor {
  /** A place on the screen. */
  readonly x: number;
  readonly y: number;
  /** The same place within the graph, from 0 to 1. */
  readonly across: number;
  readonly down: number;
}

/**
 * The viewport of the graph in an element that scrolls. It begins anew with another `subject`. Until somebody zooms the
 * graph fits into the `room`, with the details beside it or without: opening them moves nothing.
 */
export function useViewport(
  scroll: React.RefObject<HTMLDivElement>,
  room: React.RefObject<HTMLElement>,
  placed: Layout,
  subject: string
): Viewport {
  const [zoomed, setZoomed] = React.useState<number | null>(null); // null: the graph fits, unless it gets too small
  const size = useSize(room);
  const seen = useSize(scroll);
  const scale = zoomed ?? Math.max(READABLE, fitOf(size, placed));
  const anchor = React.useRef<Anchor | null>(null);

  const zoomAt = (factor: number, x: number, y: number): void => {
    const drawn = scroll.current?.querySelector('svg')?.getBoundingClientRect();
    if (drawn !== undefined) {
      anchor.current = {
        x,
        y,
        across: (x - drawn.left) / drawn.width,
        down: (y - drawn.top) / drawn.height
      };
      setZoomed(Math.max(ZOOM.least, Math.min(ZOOM.most, scale * factor)));
    }
  };
  // What was at the place stays there.
  React.useLayoutEffect(() => {
    const [node, kept] = [scroll.current, anchor.current];
    const drawn = node?.querySelector('svg')?.getBoundingClientRect();
    if (node && kept && drawn) {
      node.scrollLeft += drawn.left + kept.across * drawn.width - kept.x;
      node.scrollTop += drawn.top + kept.down * drawn.height - kept.y;
    }
    anchor.current = null;
  }, [scale, scroll]);
  React.useLayoutEffect(() => {
    setZoomed(null);
    scroll.current?.scrollTo(0, 0);
  }, [subject, scroll]);

  // Not by React, whose listeners cannot keep the browser from zooming the whole page.
  const zooming = React.useRef(zoomAt);
  zooming.current = zoomAt;
  React.useEffect(() => {
    const node = scroll.current;
    const turn = (event: WheelEvent): void => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const steps = Math.max(-1, Math.min(1, -event.deltaY / WHEEL));
        zooming.current(ZOOM.step ** steps, event.clientX, event.clientY);
      }
    };
    node?.addEventListener('wheel', turn, { passive: false });
    return () => node?.removeEventListener('wheel', turn);
  }, [scroll]);

  return {
    scale,
    zoom: steps => {
      const place = scroll.current?.getBoundingClientRect();
      if (place !== undefined) {
        zoomAt(ZOOM.step ** steps, place.left + place.width / 2, place.top + place.height / 2);
      }
    },
    fit: () => setZoomed(fitOf(seen, placed)),
    reveal: key => reveal(scroll.current, key),
    isReady: seen.width > 0,
    onPointerDown: drag
  };
}

/** The scale at which the whole graph fits, at most 1. */
function fitOf(size: { width: number; height: number }, placed: Layout): number {
  if (size.width === 0 || placed.width === 0) {
    return 1;
  }
  const wanted = Math.min(
    (size.width - 4) / (placed.width + 2 * MARGIN),
    (size.height - 4) / (placed.height + 2 * MARGIN)
  );
  return Math.max(ZOOM.least, Math.min(1, wanted));
}

function reveal(scroll: HTMLElement | null, key: string): void {
  const nodes = [...(scroll?.querySelectorAll<SVGGElement>('.sb-Node') ?? [])];
  const box = nodes.find(node => node.dataset.key === key)?.getBoundingClientRect();
  if (scroll === null || box === undefined) {
    return;
  }
  const place = scroll.getBoundingClientRect();
  // What is below the minimap is not in sight.
  const map = scroll.parentElement?.querySelector('.sb-Minimap')?.getBoundingClientRect();
  const isCovered = map !== undefined && box.right > map.left && box.bottom > map.top;
  const isSeen =
    box.left >= place.left &&
    box.right <= place.right &&
    box.top >= place.top &&
    box.bottom <= place.bottom &&
    !isCovered;
  if (!isSeen) {
    scroll.scrollBy(
      (box.left + box.right - place.left - place.right) / 2,
      (box.top + box.bottom - place.top - place.bottom) / 2
    );
  }
}

/** Drag the graph by its ground, or by anything with the middle button. A finger scrolls without this. */
function drag(event: React.PointerEvent<HTMLElement>): void {
  const scroll = event.currentTarget;
  const isGround = event.button === 0 && !(event.target as Element).closest('.sb-Node');
  if (event.pointerType !== 'mouse' || !(isGround || event.button === 1)) {
    return;
  }
  event.preventDefault();
  const { clientX, clientY, pointerId } = event;
  const { scrollLeft, scrollTop } = scroll;
  const over = new AbortController();
  const move = (now: PointerEvent): void => {
    scroll.scrollLeft = scrollLeft - (now.clientX - clientX);
    scroll.scrollTop = scrollTop - (now.clientY - clientY);
  };
  const end = (): void => {
    over.abort();
    delete scroll.dataset.dragged;
  };
  scroll.dataset.dragged = 'true';
  scroll.setPointerCapture(pointerId);
  scroll.addEventListener('pointermove', move, { signal: over.signal });
  for (const kind of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) {
    scroll.addEventListener(kind, end, { signal: over.signal });
  }
}
