/** Requests that take several steps: starting a run, planning with mistakes in the parameters, and starting MLflow. */

import { type Api, Refusal, replyOf } from './api';
import { EMPTY_DRAFT, type RunDraft } from '../model/run-request';
import type { ErrorReply, MlflowReply, MlflowRequest, PlanReply, ProcessReply } from '../wire';

const POLL = 300; // milliseconds between two looks at what was started
/** The name of the field of the interval, among those of the parameters. */
export const INTERVAL = '--interval';
const TIMEOUT = 120_000; // milliseconds until the journal has to have the run

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
  const deadline = Date.now() + TIMEOUT;
  while (process.run === null && process.exit_code === null && Date.now() < deadline) {
    await new Promise(resolve => setTimeout(resolve, POLL));
    process = await api.process(project, process.pid);
  }
  if (process.run === null) {
    const message = process.message || `'${process.command}' did not start a run`;
    throw new Refusal({ message, hint: '', kind: '', problems: [], fields: {} });
  }
  return process.run;
}

/**
 * Where MLflow shows runs, once its server is up; null where nobody waits for it any more.
 *
 * Rejects with a `Refusal` where it does not start.
 */
export async function mlflowOf(
  api: Api,
  request: MlflowRequest,
  isWanted: () => boolean
): Promise<MlflowReply | null> {
  for (;;) {
    const reply = await api.mlflow(request);
    if (!reply.starting) {
      return reply;
    }
    await new Promise(resolve => setTimeout(resolve, POLL));
    if (!isWanted()) {
      return null;
    }
  }
}

export interface Planned {
  readonly plan: PlanReply | null;
  /** Why there is no plan. */
  readonly problem: ErrorReply | null;
  /** The mistakes in parameters, by their names. The plan has the defaults of these parameters. */
  readonly fields: Readonly<Record<string, string>>;
  /** Whether it is the plan of a sweep: the draft asks for one, and a parameter has several values. */
  readonly isSweep: boolean;
}

/** What a run of all stages would do with the parameters of a draft. */
export async function planOf(
  api: Api,
  project: string,
  pipeline: string,
  { texts, sweep, interval }: RunDraft
): Promise<Planned> {
  const draft = { ...EMPTY_DRAFT, texts, sweep, interval };
  try {
    return { plan: await api.plan(project, pipeline, draft), problem: null, fields: {}, isSweep: sweep };
  } catch (error) {
    const problem = replyOf(error);
    const { fields } = problem;
    if (Object.keys(fields).length === 0) {
      if (sweep) {
        // Nothing is swept, or not any more: then it is a run.
        return planOf(api, project, pipeline, { ...draft, sweep: false });
      }
      return { plan: null, problem, fields, isSweep: false };
    }
    const right = Object.entries(texts).filter(([name]) => !(name in fields));
    const about = INTERVAL in fields ? '' : interval;
    let plan: PlanReply | null = null;
    if (right.length < Object.keys(texts).length || about !== interval) {
      const without = { ...draft, texts: Object.fromEntries(right), interval: about };
      plan = await api.plan(project, pipeline, without).catch(() => null);
    }
    return { plan, problem: null, fields, isSweep: false };
  }
}
