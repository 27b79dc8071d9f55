/** The panel in the side bar: the stages of a pipeline, line by line. */

import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Context } from './context';
import { RunForm } from './run-form';
import { stagebookIcon } from './icon';
import { type Entry, lines, search } from '../model/grouping';
import { cellOf, type StageView } from '../model/stage-state';
import { duration, plural } from '../model/format';
import {
  ConnectionNote,
  Counts,
  Elapsed,
  GivenParams,
  Glyph,
  PipelineSelect,
  Problems,
  Progress,
  RunButtons,
  RunLine,
  useStore
} from './parts';

export class StagesPanel extends ReactWidget {
  constructor(private readonly _context: Context) {
    super();
    this.id = 'stagebook-panel';
    this.title.icon = stagebookIcon;
    this.title.caption = _context.trans.__('Stagebook: pipelines of notebooks');
    this.addClass('sb-Panel');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', 'Stagebook');
  }

  protected override render(): React.JSX.Element {
    return <Panel context={this._context} />;
  }
}

function Panel(props: { context: Context }): React.JSX.Element {
  const { context } = props;
  const { store, actions, trans } = context;
  useStore(context);
  const [text, setText] = React.useState('');
  if (store.project === null && store.problem === null && store.connection === 'live') {
    return (
      <div className="sb-Empty">
        <p>{trans.__('There is no project in this folder.')}</p>
        <p>
          {trans.__('Make one in a terminal:')} <code>stagebook init</code>
        </p>
        <button className="sb-Button" onClick={() => actions.refresh()}>
          {trans.__('Look again')}
        </button>
      </div>
    );
  }
  const views = search(store.views, text);
  return (
    <>
      <div className="sb-Head">
        <PipelineSelect context={context} />
        <div className="sb-Buttons">
          <RunButtons context={context} />
          <button
            className="sb-Button"
            aria-expanded={store.isOrdering}
            disabled={store.pipeline === null}
            title={trans.__('Choose parameters, stages and options')}
            onClick={() => store.setOrdering(!store.isOrdering)}
          >
            {trans.__('Run …')}
          </button>
          <button className="sb-Button" onClick={() => actions.openGraph()}>
            {trans.__('Graph')}
          </button>
          <button className="sb-Button" onClick={() => actions.openHistory()}>
            {trans.__('Runs')}
          </button>
        </div>
        <RunLine context={context} />
        {!store.isOrdering && <GivenParams context={context} />}
        <Counts views={store.views} words />
      </div>
      <ConnectionNote context={context} />
      <Problems context={context} />
      <RunForm context={context} />
      {store.views.length > 5 && (
        <input
          className="sb-Search"
          type="search"
          aria-label={trans.__('Search stages')}
          placeholder={trans.__('Search stages')}
          value={text}
          onChange={event => setText(event.target.value)}
        />
      )}
      <StageTree context={context} views={views} isSearched={text !== ''} />
    </>
  );
}

/** The stages as a tree with keys as the ARIA practices have them for trees. */
function StageTree(props: {
  context: Context;
  views: readonly StageView[];
  isSearched: boolean;
}): React.JSX.Element {
  const { context, views, isSearched } = props;
  const { store, actions, trans } = context;
  const [open, setOpen] = React.useState<ReadonlySet<string>>(new Set());
  const tree = React.useRef<HTMLUListElement>(null);
  const entries = lines(views, isSearched ? new Set(views.map(view => view.stage)) : open);
  const focused = entries.some(entry => keyOf(entry) === store.selected)
    ? store.selected
    : ((entries[0] && keyOf(entries[0])) ?? null);

  // Lines that change their places, or are made anew, lose the focus; the keys go on where they were.
  const isHeld = tree.current?.contains(document.activeElement) === true;
  React.useLayoutEffect(() => {
    if (isHeld && document.activeElement === document.body) {
      tree.current.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
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
        if (store.isOrdering) {
          store.toggle(nameOf(entry));
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
    return <p className="sb-None">{isSearched ? trans.__('No stage fits.') : ''}</p>;
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
            aria-checked={store.isOrdering ? store.order.stages.includes(nameOf(entry)) : undefined}
            aria-expanded={isGroup ? entry.open : undefined}
            aria-label={labelOf(entry)}
            tabIndex={key === focused ? 0 : -1}
            onClick={event => {
              store.select(key);
              if (event.ctrlKey || event.metaKey) {
                store.toggle(nameOf(entry));
                store.setOrdering(true);
              } else {
                act(entry, event.shiftKey);
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
              {store.isOrdering && (
                <span
                  className="sb-Check"
                  aria-hidden="true"
                  onClick={event => {
                    event.stopPropagation();
                    store.toggle(nameOf(entry));
                  }}
                >
                  {store.order.stages.includes(nameOf(entry)) ? '☑' : '☐'}
                </span>
              )}
              {entry.label}
            </span>
            {isGroup ? <Counts views={entry.views} /> : <LineEnd context={context} entry={entry} />}
            {!isGroup && <LineDetail entry={entry} />}
          </li>
        );
      })}
    </ul>
  );
}

/** What a run is asked for by: the stage of a group, or an instance. */
function nameOf(entry: Entry): string {
  return entry.key;
}

function keyOf(entry: Entry): string {
  return entry.folded || entry.open ? `${entry.key}/` : entry.key;
}

function labelOf(entry: Entry): string {
  const view = entry.views[0];
  if (entry.views.length > 1 || view === undefined) {
    return `${entry.label}, ${plural(entry.views.length, 'instance')}, ${entry.state}`;
  }
  return [view.id, view.state, cellOf(view), view.why].filter(Boolean).join(', ');
}

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

function LineDetail(props: { entry: Entry }): React.JSX.Element | null {
  const view = props.entry.views[0];
  const info = view?.info;
  if (view === undefined) {
    return null;
  }
  const cell = cellOf(view);
  const isRunning = view.state === 'running' || view.state === 'frozen';
  const took = !isRunning && info?.started && info.ended ? duration(info.ended - info.started) : '';
  const texts = [cell, view.why || took].filter(Boolean);
  if (texts.length === 0 && !isRunning) {
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
        texts.join(': ')
      )}
      <Progress view={view} />
    </span>
  );
}
