/** The menus of a stage. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { CommandRegistry } from '@lumino/commands';
import { Menu } from '@lumino/widgets';

import { IDS } from './command-ids';

/** The context menu in the panel and the graph, in groups. */
const CONTEXT_MENU: readonly (readonly string[])[] = [
  [IDS.runTo, IDS.runFrom, IDS.runOnly, IDS.runForced, IDS.choose],
  [IDS.openNotebook, IDS.openExecuted, IDS.openFailing, IDS.openLog, IDS.openChanges],
  [IDS.openContract, IDS.connect, IDS.showStage, IDS.openMlflow, IDS.attach, IDS.accept]
];

/** The menu of the badge in a notebook's toolbar, in groups. */
const BADGE_MENU: readonly (readonly string[])[] = [
  [IDS.runTo, IDS.runOnly, IDS.runForm],
  [IDS.openFailing, IDS.openExecuted, IDS.openLog, IDS.openChanges],
  [IDS.prepare, IDS.attach],
  [IDS.openContract, IDS.openMlflow, IDS.showStage]
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

/** Open the menu of the badge below an element, which gets the focus back. */
export function openBadgeMenu(commands: CommandRegistry, stage: string, node: HTMLElement): void {
  const menu = new Menu({ commands });
  BADGE_MENU.forEach((group, at) => {
    if (at > 0) {
      menu.addItem({ type: 'separator' });
    }
    group.forEach(command => menu.addItem({ command, args: { stage } }));
  });
  menu.aboutToClose.connect(() => node.focus());
  const { left, bottom } = node.getBoundingClientRect();
  menu.open(left, bottom);
}
