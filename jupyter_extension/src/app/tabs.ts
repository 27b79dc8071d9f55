/** The tabs of the main area: opening them, and opening them again after a reload. */

import type { ILayoutRestorer, JupyterFrontEnd } from '@jupyterlab/application';
import { WidgetTracker } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import type { Widget } from '@lumino/widgets';

import type { LogOf } from '../services/log-reader';
import type { Store } from '../services/store';
import type { Context } from '../views/context';
import { GraphView } from '../views/graph';
import { IDS } from './command-ids';

/** What a tab shows, as it is kept over a reload. */
export type Tab =
  | { readonly kind: 'graph' }
  | { readonly kind: 'runs' }
  | { readonly kind: 'form' }
  | { readonly kind: 'environments' }
  | { readonly kind: 'timeline' }
  | { readonly kind: 'schedules' }
  | { readonly kind: 'incidents' }
  | { readonly kind: 'figures' }
  | { readonly kind: 'changes'; readonly stage: string }
  | ({ readonly kind: 'log' } & LogOf);

export class Tabs {
  constructor(
    private readonly _app: JupyterFrontEnd,
    private readonly _context: () => Context
  ) {}

  /** Show a tab; one that is there already is brought to the front. */
  async open(tab: Tab): Promise<Widget> {
    const shown = await this._shown(tab);
    this._app.shell.activateById(shown.id);
    return shown;
  }

  /** Open the tabs of before a reload. */
  restore(restorer: ILayoutRestorer, trans: TranslationBundle): void {
    this._app.commands.addCommand(IDS.restoreTab, {
      label: trans.__('Open a tab again after a reload'),
      execute: args => {
        const tab = tabOf(args);
        return tab === null ? undefined : this._shown(tab);
      },
      isVisible: () => false,
      describedBy: { args: { type: 'object', properties: { kind: { type: 'string' } } } }
    });
    void restorer.restore(this._tracker, {
      command: IDS.restoreTab,
      args: widget => ({ ...this._tabs.get(widget) }),
      name: widget => widget.id
    });
  }

  private async _shown(tab: Tab): Promise<Widget> {
    const made = await makeView(tab, this._context());
    const known = [...this._app.shell.widgets('main')].find(one => one.id === made.id);
    if (known !== undefined) {
      made.dispose();
      return known;
    }
    this._tabs.set(made, tab);
    this._app.shell.add(made, 'main');
    void this._tracker.add(made);
    return made;
  }

  private readonly _tabs = new WeakMap<Widget, Tab>();
  private readonly _tracker = new WidgetTracker<Widget>({ namespace: 'stagebook' });
}

/** What most people open is there from the beginning; the code of the others comes when they are opened. */
async function makeView(tab: Tab, context: Context): Promise<Widget> {
  switch (tab.kind) {
    case 'graph':
      return new GraphView(context);
    case 'runs':
      return new (await import('../views/runs')).RunsView(context);
    case 'form':
      return new (await import('../views/run-form')).RunFormView(context);
    case 'environments':
      return new (await import('../views/environments')).EnvironmentsView(context);
    case 'timeline':
      return new (await import('../views/timeline')).TimelineView(context);
    case 'schedules':
      return new (await import('../views/schedules')).SchedulesView(context);
    case 'incidents':
      return new (await import('../views/incidents')).IncidentsView(context);
    case 'figures':
      return new (await import('../views/figures')).FiguresView(context);
    case 'changes':
      return new (await import('../views/changes')).ChangesView(context, tab.stage);
    case 'log':
      return new (await import('../views/log')).LogView(context, tab, () => isRunning(context.store, tab));
  }
}

/** Whether an attempt runs, or may run: after a reload that is not known at first. */
function isRunning(store: Store, { run, stage, attempt }: LogOf): boolean {
  if (store.snapshot.seq === null && store.connection !== 'live') {
    return true;
  }
  const infos = [...store.snapshot.stages.values()].map(group => group.get(stage));
  const info = infos.find(one => one?.run === run);
  return info?.attempt === attempt && info.status === 'running';
}

/** The tab that was kept; null where it is none that this version knows. */
function tabOf(kept: ReadonlyPartialJSONObject): Tab | null {
  const text = (name: string): string => {
    const found = kept[name];
    return typeof found === 'string' ? found : '';
  };
  switch (kept['kind']) {
    case 'graph':
    case 'runs':
    case 'form':
    case 'environments':
    case 'timeline':
    case 'schedules':
    case 'incidents':
    case 'figures':
      return { kind: kept['kind'] };
    case 'changes':
      return { kind: 'changes', stage: text('stage') };
    case 'log': {
      const attempt = Number(kept['attempt']);
      return { kind: 'log', project: text('project'), run: text('run'), stage: text('stage'), attempt };
    }
    default:
      return null;
  }
}
