/** The stages of a pipeline as a tree: a line for each stage, and for each instance of an unfolded one. */

import * as React from 'react';

import { type Entry, findingsOf, labelOf, lines } from '../model/grouping';
import { cellOf, outcomeBeside, type StageView } from '../model/stage-state';
import type { Context } from './context';
import { useNow } from './hooks';
import { Counts, Elapsed, Findings, Glyph, Progress } from './parts';

/** The stages as a tree, with the keys of the ARIA practices for trees. */
export function StageTree(props: {
  context: Context;
  views: readonly StageView[];
  isSearched: boolean;
}): React.JSX.Element {
  const { context, views, isSearched } = props;
  const { store, actions, trans } = context;
  const { planner } = store;
  const [open, setOpen] = React.useState<ReadonlySet<string>>(new Set());
  const tree = React.useRef<HTMLUListElement>(null);
  const entries = lines(views, isSearched ? new Set(views.map(view => view.stage)) : open);
  const focused = entries.some(entry => keyOf(entry) === store.selected)
    ? store.selected
    : ((entries[0] && keyOf(entries[0])) ?? null);

  // A line that moves or is replaced loses the focus, so the focus is given back. Without lines there is no tree.
  const isHeld = tree.current?.contains(document.activeElement) === true;
  React.useLayoutEffect(() => {
    const now: HTMLElement | null = tree.current;
    if (isHeld && document.activeElement === document.body) {
      now?.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
    }
  });

  const toggle = (name: string, wanted: boolean): void => {
    const next = new Set(open);
    if (wanted) {
      next.add(name);
    } else {
      next.delete(name);
    }
    setOpen(next);
  };
  const move = (at: number): void => {
    const entry = entries[Math.max(0, Math.min(entries.length - 1, at))];
    if (entry !== undefined) {
      store.select(keyOf(entry));
      const items = tree.current?.querySelectorAll<HTMLElement>('[role=treeitem]');
      items?.[entries.indexOf(entry)]?.focus();
    }
  };
  const act = (entry: Entry, wantsExecuted: boolean): void => {
    const view = entry.views[0];
    if (entry.folded || entry.open) {
      toggle(entry.key, !entry.open);
    } else if (view !== undefined) {
      (wantsExecuted ? actions.openExecuted : actions.openNotebook)(view.id);
    }
  };
  const press = (event: React.KeyboardEvent, at: number, entry: Entry): void => {
    switch (event.key) {
      case 'ArrowDown':
        move(at + 1);
        break;
      case 'ArrowUp':
        move(at - 1);
        break;
      case 'Home':
        move(0);
        break;
      case 'End':
        move(entries.length - 1);
        break;
      case 'ArrowRight':
        if (entry.folded) {
          toggle(entry.key, true);
        } else if (entry.open) {
          move(at + 1);
        }
        break;
      case 'ArrowLeft':
        if (entry.open) {
          toggle(entry.key, false);
        } else if (entry.level === 1) {
          move(entries.findIndex(one => one.key === entry.views[0]?.stage));
        }
        break;
      case ' ':
        if (planner.isChoosing) {
          planner.toggle(entry.key);
        } else {
          act(entry, event.shiftKey);
        }
        break;
      case 'Enter':
        act(entry, event.shiftKey);
        break;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  if (entries.length === 0) {
    return <p className="sb-None">{isSearched ? trans.__('No stage matches.') : ''}</p>;
  }
  return (
    <ul className="sb-Tree" role="tree" aria-label={trans.__('Stages')} ref={tree}>
      {entries.map((entry, at) => {
        const key = keyOf(entry);
        const isGroup = entry.folded || entry.open;
        return (
          <li
            key={key}
            role="treeitem"
            className="sb-Line"
            data-state={entry.state}
            data-level={entry.level}
            aria-level={entry.level + 1}
            aria-selected={key === store.selected}
            aria-checked={planner.isChoosing ? planner.draft.stages.includes(entry.key) : undefined}
            aria-expanded={isGroup ? entry.open : undefined}
            aria-label={labelOf(entry)}
            tabIndex={key === focused ? 0 : -1}
            onClick={event => {
              store.select(key);
              if (event.ctrlKey || event.metaKey) {
                planner.toggle(entry.key);
              } else if (isGroup || event.shiftKey) {
                act(entry, event.shiftKey);
              }
            }}
            onDoubleClick={event => {
              if (!isGroup && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
                act(entry, false);
              }
            }}
            onContextMenu={() => store.select(key)}
            onFocus={() => store.select(key)}
            onKeyDown={event => press(event, at, entry)}
          >
            <Glyph state={entry.state} />
            <span className="sb-Name">
              {isGroup && (
                <span className="sb-Twist" aria-hidden="true">
                  {entry.open ? '▾' : '▸'}
                </span>
              )}
              {planner.isChoosing && (
                <span
                  className="sb-Check"
                  aria-hidden="true"
                  onClick={event => {
                    event.stopPropagation();
                    planner.toggle(entry.key);
                  }}
                >
                  {planner.draft.stages.includes(entry.key) ? '☑' : '☐'}
                </span>
              )}
              {entry.label}
            </span>
            {isGroup ? <Counts views={entry.views} /> : <LineEnd context={context} entry={entry} />}
            {!isGroup && <LineDetail entry={entry} />}
            {!entry.open && <Findings text={findingsOf(entry)} />}
          </li>
        );
      })}
    </ul>
  );
}

/** What is selected: a group has a slash at its end. */
function keyOf(entry: Entry): string {
  return entry.folded || entry.open ? `${entry.key}/` : entry.key;
}

/** The right end of a line: the state, and the way to the executed notebook. */
function LineEnd(props: { context: Context; entry: Entry }): React.JSX.Element {
  const { actions, trans } = props.context;
  const view = props.entry.views[0];
  return (
    <span className="sb-State">
      {view?.info?.has_notebook && (
        <button
          className="sb-Executed"
          tabIndex={-1}
          title={trans.__('Open the executed notebook (Shift Enter)')}
          aria-label={trans.__('Open the executed notebook of %1', view.id)}
          onClick={event => {
            event.stopPropagation();
            actions.openExecuted(view.id);
          }}
        >
          {trans.__('executed')}
        </button>
      )}
      {props.entry.state}
    </span>
  );
}

/** The second row of a line: cell, time and reason. */
function LineDetail(props: { entry: Entry }): React.JSX.Element | null {
  const view = props.entry.views[0];
  const info = view?.info;
  const now = useNow(20);
  if (view === undefined) {
    return null;
  }
  const cell = cellOf(view);
  const isRunning = view.state === 'running' || view.state === 'frozen';
  const texts = [[cell, view.why].filter(Boolean).join(': '), outcomeBeside(view, now)].filter(Boolean);
  if (texts.length === 0 && !view.next && !isRunning) {
    return null;
  }
  return (
    <span className="sb-Detail" title={[...texts, ...view.reasons].join('\n')}>
      {isRunning && info?.started ? (
        <>
          {cell && `${cell}, `}
          <Elapsed started={info.started} expected={info.expected} />
        </>
      ) : (
        texts.join(' · ')
      )}
      {view.next && <span className="sb-Next">next run: {view.next}</span>}
      <Progress view={view} />
    </span>
  );
}
