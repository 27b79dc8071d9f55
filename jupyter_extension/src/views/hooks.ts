/** Hooks of the views. */

import * as React from 'react';

import type { PartialJSONValue } from '@lumino/coreutils';

import type { Context } from './context';

/** Draw again whenever the store has changed, at most once a frame. */
export function useStore(context: Context): void {
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let asked = 0;
    const slot = (): void => {
      asked ||= requestAnimationFrame(() => {
        asked = 0;
        draw();
      });
    };
    context.store.changed.connect(slot);
    slot();
    return () => {
      cancelAnimationFrame(asked);
      context.store.changed.disconnect(slot);
    };
  }, [context]);
}

/** What the server answers; asked again when what it depends on changed, and kept meanwhile. */
export function useAnswer<T>(
  ask: () => Promise<T> | null,
  depends: readonly unknown[]
): { value: T | null; error: string } {
  const [answer, setAnswer] = React.useState<{ value: T | null; error: string }>({ value: null, error: '' });
  const asking = React.useRef(ask);
  asking.current = ask;
  React.useEffect(() => {
    let isOver = false;
    const asked = asking.current();
    if (asked === null) {
      setAnswer({ value: null, error: '' });
      return;
    }
    asked.then(
      value => isOver || setAnswer({ value, error: '' }),
      (error: unknown) =>
        isOver || setAnswer({ value: null, error: error instanceof Error ? error.message : String(error) })
    );
    return () => {
      isOver = true;
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- the caller says what it depends on
  }, [JSON.stringify(depends)]);
  return answer;
}

/** The time in seconds since the epoch, told anew every few seconds. */
export function useNow(every: number): number {
  const [now, setNow] = React.useState(() => Date.now() / 1000);
  React.useEffect(() => {
    const timer = setInterval(() => setNow(Date.now() / 1000), every * 1000);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/** A value as it was told at most every few milliseconds; the last one comes in any case. */
export function useSlowly<T>(value: T, every: number): T {
  const [told, setTold] = React.useState({ value, at: 0 });
  React.useEffect(() => {
    const wait = Math.max(0, told.at + every - Date.now());
    const timer = setTimeout(() => setTold({ value, at: Date.now() }), wait);
    return () => clearTimeout(timer);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- what was told changes with the value alone
  }, [value, every]);
  return told.value;
}

/** The size of an element without its scroll bars, in pixels; 0 until it is drawn. */
export function useSize(of: React.RefObject<HTMLElement>): { width: number; height: number } {
  const [size, setSize] = React.useState({ width: 0, height: 0 });
  React.useEffect(() => {
    const node = of.current;
    if (node === null) {
      return;
    }
    const observer = new ResizeObserver(() => {
      setSize({ width: node.clientWidth, height: node.clientHeight });
    });
    observer.observe(node);
    return () => observer.disconnect();
  }, [of]);
  return size;
}

/** A number that changes whenever a run begins or ends, the window gets the focus, or half a minute has gone by; with a function
 * that changes it at once. With `often`, every few seconds. */
export function useRound(context: Context, often = false): readonly [string, () => void] {
  const [round, again] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    window.addEventListener('focus', again);
    return () => window.removeEventListener('focus', again);
  }, []);
  const every = often ? OFTEN : SELDOM;
  const time = Math.floor(useNow(every) / every);
  const runs = context.store.snapshot.runs.map(run => [run.id, run.status]);
  return [JSON.stringify([round, time, runs]), again];
}

const OFTEN = 2; // seconds
const SELDOM = 30; // seconds

/**
 * What somebody chose, kept over a reload under a name. `read` makes sense of what was kept; by default it counts where it is of the
 * type of the `initial` value.
 */
export function useKept<T extends PartialJSONValue | object>(
  context: Context,
  name: string,
  initial: T,
  read: (kept: unknown) => T = kept => (typeof kept === typeof initial ? (kept as T) : initial)
): readonly [T, (value: T) => void] {
  const [state, setState] = React.useState({ name, value: initial });
  const reading = React.useRef(read);
  reading.current = read;
  const { memory } = context;
  React.useEffect(() => {
    let isOver = false;
    void memory.recall(name).then(kept => {
      if (!isOver && kept !== undefined) {
        setState({ name, value: reading.current(kept) });
      }
    });
    return () => {
      isOver = true;
    };
  }, [memory, name]);
  const keep = (value: T): void => {
    setState({ name, value });
    memory.keep(name, value as PartialJSONValue);
  };
  return [state.name === name ? state.value : initial, keep];
}
