/** What is kept over a reload of the page, in JupyterLab's state database. */

import type { IStateDB } from '@jupyterlab/statedb';
import type { PartialJSONValue } from '@lumino/coreutils';

// Not that of the tabs: JupyterLab removes from there what is no tab.
const PREFIX = 'stagebook-views:';

export class Memory {
  constructor(private readonly _state: IStateDB | null) {}

  /** What was kept under a name; undefined where nothing was, or where it cannot be read. */
  async recall(name: string): Promise<unknown> {
    const known = this._kept.get(name);
    return known ?? (await this._state?.fetch(PREFIX + name).catch(() => undefined));
  }

  keep(name: string, value: PartialJSONValue): void {
    this._kept.set(name, value);
    void this._state?.save(PREFIX + name, value);
  }

  private readonly _kept = new Map<string, PartialJSONValue>();
}
