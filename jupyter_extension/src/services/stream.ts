/** The stream of what changes in a project, connected again whenever it is lost. */

import { type Api, Refusal } from './api';
import type { Change, ErrorReply } from '../wire';

const RETRY = { first: 500, most: 10_000 }; // milliseconds until the next attempt to connect

interface Listener {
  /** The number of the last event that is known; null for none. */
  readonly seq: () => number | null;
  readonly change: (change: Change) => void;
  readonly problem: (problem: ErrorReply) => void;
  readonly lost: () => void;
}

/** Pass on all changes, until `signal` aborts it. */
export async function follow(
  api: Api,
  project: string,
  signal: AbortSignal,
  { seq, change, problem, lost }: Listener
): Promise<void> {
  let wait = RETRY.first;
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    try {
      await api.follow(project, seq(), signal, {
        change: one => {
          wait = RETRY.first;
          change(one);
        },
        problem
      });
    } catch (error) {
      if (error instanceof Refusal && !isOver()) {
        problem(error.reply);
      }
    }
    if (isOver()) {
      return;
    }
    lost();
    await new Promise(resolve => setTimeout(resolve, wait));
    wait = Math.min(wait * 2, RETRY.most);
  }
}
