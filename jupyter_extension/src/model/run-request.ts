/** What a run is asked for: parameters as they were typed, the stages, and how. */

import type { RunRequest } from '../wire';

export type How = 'all' | 'to' | 'from' | 'only';

export interface Order {
  /** Parameters that differ from their defaults, as `-p` takes them. */
  readonly texts: Readonly<Record<string, string>>;
  readonly how: How;
  /** The stages that were chosen, for every `how` but `all`. */
  readonly stages: readonly string[];
  readonly force: boolean;
  readonly keepGoing: boolean;
  readonly keepKernel: boolean;
  readonly sweep: boolean;
}

export const NO_ORDER: Order = {
  texts: {},
  how: 'all',
  stages: [],
  force: false,
  keepGoing: false,
  keepKernel: false,
  sweep: false
};

/** The stages as the server has them: in its words, and none for a run of all. */
function selection(order: Order): Pick<RunRequest, 'stages' | 'start' | 'only'> {
  switch (order.how) {
    case 'to':
      return { stages: order.stages };
    case 'from':
      return { start: order.stages };
    case 'only':
      return { only: order.stages };
    default:
      return {};
  }
}

/** The request that starts it. */
export function requestOf(order: Order): Omit<RunRequest, 'pipeline' | 'project'> {
  return {
    ...selection(order),
    texts: order.texts,
    force: order.force,
    keep_going: order.keepGoing,
    keep_kernel: order.keepKernel,
    sweep: order.sweep
  };
}

/** The words of a query that plans it. */
export function queryOf(order: Order): [string, string][] {
  const { stages = [], start = [], only = [] } = selection(order);
  return [
    ...Object.entries(order.texts).map(([name, text]): [string, string] => ['param', `${name}=${text}`]),
    ...stages.map((name): [string, string] => ['stage', name]),
    ...start.map((name): [string, string] => ['start', name]),
    ...only.map((name): [string, string] => ['only', name]),
    ...(order.force ? [['force', '1'] as [string, string]] : []),
    ...(order.sweep ? [['sweep', '1'] as [string, string]] : [])
  ];
}

/** Whether it lacks the stages that it is about. */
export function isIncomplete(order: Order): boolean {
  return order.how !== 'all' && order.stages.length === 0;
}

/** The order with one more stage chosen, or one less. */
export function toggled(order: Order, stage: string): Order {
  const without = order.stages.filter(name => name !== stage);
  const stages = without.length === order.stages.length ? [...without, stage] : without;
  const how = order.how === 'all' ? 'to' : order.how;
  return { ...order, stages, how: stages.length === 0 ? 'all' : how };
}
