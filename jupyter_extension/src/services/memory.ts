/** Small choices of a person about a view, such as the width of a pane, kept over a reload. */

import type { IStateDB } from '@jupyterlab/statedb';

// Not that of the tabs: JupyterLab removes from there what is none.
const SPACE = 'stagebook-views';

type Kept = string | number | boolean;

export class Memory {
  constructor(private readonly _state: IStateDB | null) {}

  /** What was kept by a name, if it is of the type of the `initial` value; else that one. */
  async get<T extends Kept>(name: string, initial: T): Promise<T> {
    const found = await this._state?.fetch(`${SPACE}:${name}`).catch(() => undefined);
    return typeof found === typeof initial ? (found as T) : initial;
  }

  set(name: string, value: Kept): void {
    void this._state?.save(`${SPACE}:${name}`, value);
  }
}
