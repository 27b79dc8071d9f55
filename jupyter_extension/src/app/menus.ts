/** The menus of a stage, and the ways to run. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { CommandRegistry } from '@lumino/commands';
import type { ReadonlyJSONObject } from '@lumino/coreutils';
import { Menu } from '@lumino/widgets';

import { IDS } from './command-ids';

/** The context menu in the panel and the graph, in groups. */
const CONTEXT_MENU: readonly (readonly string[])[] = [
  [IDS.runTo, IDS.runFrom, IDS.runOnly, IDS.runForced, IDS.choose],
  [IDS.openNotebook, IDS.openExecuted, IDS.openFailing, IDS.editFailing, IDS.openLog, IDS.openChanges],
  [IDS.openContract, IDS.connect, IDS.showStage, IDS.openMlflow, IDS.attach, IDS.accept]
];

/** The menu of the badge in a notebook's toolbar, in groups. */
const BADGE_MENU: readonly (readonly string[])[] = [
  [IDS.runTo, IDS.runOnly, IDS.runForm],
  [IDS.openFailing, IDS.editFailing, IDS.openExecuted, IDS.openLog, IDS.openChanges],
  [IDS.prepare, IDS.attach],
  [IDS.openContract, IDS.openMlflow, IDS.showStage]
];

/** The menu beside the button that runs, in groups. */
const RUN_MENU: readonly (readonly string[])[] = [
  [IDS.runForm, IDS.runAgain],
  [IDS.resume, IDS.retry],
  [IDS.backfill],
  [IDS.cancel, IDS.kill]
];

export function addContextMenu(app: JupyterFrontEnd): void {
  CONTEXT_MENU.forEach((group, at) => {
    for (const selector of ['.sb-Line', '.sb-Node']) {
      group.forEach((command, rank) => app.contextMenu.addItem({ command, selector, rank: at * 100 + rank }));
      if (at > 0) {
        app.contextMenu.addItem({ type: 'separator', selector, rank: at * 100 - 1 });
      }
    }
  });
}

/** Open the menu of the badge below an element. */
export function openBadgeMenu(commands: CommandRegistry, stage: string, node: HTMLElement): void {
  openBelow(commands, BADGE_MENU, { stage }, node);
}

/** Open the menu with the ways to run below an element. */
export function openRunMenu(commands: CommandRegistry, node: HTMLElement): void {
  openBelow(commands, RUN_MENU, {}, node);
}

/** Open a menu below an element, which gets the focus back. */
function openBelow(
  commands: CommandRegistry,
  groups: readonly (readonly string[])[],
  args: ReadonlyJSONObject,
  node: HTMLElement
): void {
  const menu = new Menu({ commands });
  groups.forEach((group, at) => {
    if (at > 0) {
      menu.addItem({ type: 'separator' });
    }
    group.forEach(command => menu.addItem({ command, args }));
  });
  menu.aboutToClose.connect(() => node.focus());
  const { left, bottom } = node.getBoundingClientRect();
  menu.open(left, bottom);
}
