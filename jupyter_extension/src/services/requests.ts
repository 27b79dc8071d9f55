/** Requests that take more than one step: a run that is begun, and a plan with mistakes in it. */

import { type Api, Refusal, replyOf } from './api';
import { NO_ORDER, type Order } from '../model/run-request';
import type { ErrorReply, PlanReply, ProcessReply } from '../wire';

const ASK = 300; // milliseconds between two looks at a process that was started
const PATIENCE = 120_000; // milliseconds until a process has to be a run

/**
 * Begin a run, and wait until the journal has it: its id.
 *
 * Rejects with a `Refusal` where it cannot be started.
 */
export async function runOf(
  api: Api,
  project: string,
  begin: (project: string) => Promise<ProcessReply>
): Promise<string> {
  let process = await begin(project);
  const patience = Date.now() + PATIENCE;
  while (process.run === null && process.exit_code === null && Date.now() < patience) {
    await new Promise(resolve => setTimeout(resolve, ASK));
    process = await api.process(project, process.pid);
  }
  if (process.run === null) {
    const message = process.message || `'${process.command}' did not start a run`;
    throw new Refusal({ message, hint: '', kind: '', problems: [], fields: {} });
  }
  return process.run;
}

export interface Planned {
  readonly plan: PlanReply | null;
  /** Why there is no plan. */
  readonly problem: ErrorReply | null;
  /** What is wrong with the parameters, by their names; the plan is then one with their defaults. */
  readonly fields: Readonly<Record<string, string>>;
}

/** What all stages would do with parameters as they were typed. */
export async function planOf(
  api: Api,
  project: string,
  pipeline: string,
  { texts, sweep }: Order
): Promise<Planned> {
  const order = { ...NO_ORDER, texts, sweep };
  try {
    return { plan: await api.plan(project, pipeline, order), problem: null, fields: {} };
  } catch (error) {
    const problem = replyOf(error);
    const { fields } = problem;
    if (Object.keys(fields).length === 0) {
      return { plan: null, problem, fields };
    }
    const right = Object.entries(texts).filter(([name]) => !(name in fields));
    let plan: PlanReply | null = null;
    if (right.length < Object.keys(texts).length) {
      const without = { ...order, texts: Object.fromEntries(right) };
      plan = await api.plan(project, pipeline, without).catch(() => null);
    }
    return { plan, problem: null, fields };
  }
}
