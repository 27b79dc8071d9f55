/** What the views of the main area have in common. */

import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';

import type { Context } from './context';
import { stagebookIcon } from './icon';

export abstract class MainView extends ReactWidget {
  constructor(
    protected readonly _context: Context,
    id: string,
    label: string
  ) {
    super();
    this.id = id;
    this.title.icon = stagebookIcon;
    this.title.label = label;
    this.title.closable = true;
    this.node.tabIndex = -1;
  }

  /** A tab that was closed is gone: one that is only taken out would be opened again after a reload. */
  protected override onCloseRequest(message: Message): void {
    super.onCloseRequest(message);
    this.dispose();
  }

  /** JupyterLab goes by the focus: the tab that was opened becomes the current one by this. */
  protected override onActivateRequest(): void {
    if (!this.node.contains(document.activeElement)) {
      this.node.focus({ preventScroll: true });
    }
  }
}
