/** Requests about schedules, runs over time, backfills, incidents and figures. */

import { type Api, Refusal } from './api';
import type {
  BackfillAction,
  BackfillPlanReply,
  BackfillRequest,
  BackfillsReply,
  CalendarReply,
  FiguresReply,
  GridReply,
  IncidentReply,
  IncidentRequest,
  IncidentsReply,
  OpenIncidentsReply,
  Period,
  ProcessReply,
  ScheduleReply,
  ScheduleRequest,
  SchedulesReply,
  StageOfRunReply,
  TimesReply
} from '../wire';

const POLL = 300; // milliseconds between two looks at a process
const SOON = { here: 20_000, elsewhere: 5_000 }; // milliseconds within which a command refuses what cannot be
const FAILED = 1; // the exit code where a stage failed

/** A pipeline in an environment of a project. */
export interface Where {
  readonly project: string;
  /** The name of the pipeline, as its runs have it. */
  readonly pipeline: string;
  readonly environment: string;
}

export function schedules(api: Api, project: string): Promise<SchedulesReply> {
  return api.get<SchedulesReply>(['schedules'], { project });
}

/**
 * Pause, resume or trigger a schedule: the id of the run that was triggered.
 *
 * Rejects with a `Refusal` where that cannot be, or where the run cannot begin.
 */
export async function actOnSchedule(api: Api, request: ScheduleRequest): Promise<string> {
  const reply = await api.post<ScheduleReply>(['schedules'], request);
  if (reply.process !== null) {
    await fine(api, request.project ?? '', reply.process, request.environment);
  }
  return reply.run;
}

/** The latest runs of a pipeline; `within` a day or a month those that began in it. */
export function grid(
  api: Api,
  where: Where,
  limit: number,
  within: { readonly start: number; readonly end: number } | null
): Promise<GridReply> {
  const stretch: Record<string, number> = within === null ? {} : { since: within.start, until: within.end };
  return api.get<GridReply>(['grid'], { ...where, limit, ...stretch });
}

export function calendar(api: Api, where: Where, period: Period): Promise<CalendarReply> {
  return api.get<CalendarReply>(['calendar'], { ...where, period });
}

export function stageOfRun(
  api: Api,
  { project, environment }: Where,
  run: string,
  stage: string
): Promise<StageOfRunReply> {
  return api.get<StageOfRunReply>(['grid', 'stage'], { project, environment, run, stage });
}

/** The stages of a run over time. */
export function times(api: Api, { project, environment }: Where, run: string): Promise<TimesReply> {
  return api.get<TimesReply>(['grid', 'run'], { project, environment, run });
}

export function backfills(api: Api, where: Where): Promise<BackfillsReply> {
  return api.get<BackfillsReply>(['backfills'], { ...where });
}

export function planBackfill(api: Api, request: BackfillRequest): Promise<BackfillPlanReply> {
  return api.post<BackfillPlanReply>(['backfills', 'plan'], request);
}

/** Start a backfill, and wait until it has begun. Rejects with a `Refusal` where it cannot. */
export async function startBackfill(api: Api, request: BackfillRequest): Promise<void> {
  const started = await api.post<ProcessReply>(['backfills'], request);
  await fine(api, request.project ?? '', started, request.environment);
}

/** Cancel a backfill, or go on with it. Rejects with a `Refusal` where that cannot be. */
export async function actOnBackfill(
  api: Api,
  { project, environment }: Where,
  run: string,
  action: BackfillAction
): Promise<void> {
  const started = await api.post<ProcessReply>(['backfills', run], { action, project, environment });
  await fine(api, project, started, environment);
}

export function incidents(api: Api, project: string, environment: string): Promise<IncidentsReply> {
  return api.get<IncidentsReply>(['incidents'], { project, environment });
}

/** How many incidents are open, by environment; those without any are left out. */
export async function openIncidents(api: Api, project: string): Promise<OpenIncidentsReply['open']> {
  return (await api.get<OpenIncidentsReply>(['incidents', 'open'], { project })).open;
}

export function actOnIncident(api: Api, incident: string, request: IncidentRequest): Promise<IncidentReply> {
  return api.post<IncidentReply>(['incidents', incident], request);
}

/** The figures of a pipeline over the last days; without an environment, of the one that `stagebook metrics` shows. */
export function figures(api: Api, where: Where, days: number): Promise<FiguresReply> {
  return api.get<FiguresReply>(['figures'], { ...where, days });
}

/**
 * Wait until what was started has begun, or has refused; not for long where it waits itself, as for another run. Of the runs of
 * other environments the journal of the working tree knows nothing: there it is waited a while for a refusal.
 */
async function fine(api: Api, project: string, process: ProcessReply, environment = 'dev'): Promise<void> {
  const isHere = environment === 'dev';
  const deadline = Date.now() + (isHere ? SOON.here : SOON.elsewhere);
  let found = process;
  while (found.run === null && found.exit_code === null && Date.now() < deadline) {
    await new Promise(resolve => setTimeout(resolve, POLL));
    found = await api.process(project, found.pid);
  }
  const code = found.exit_code ?? 0;
  if (found.run === null && code !== 0 && (isHere || code !== FAILED)) {
    throw refusalOf(found);
  }
}

function refusalOf({ message, command, exit_code }: ProcessReply): Refusal {
  const text = message || `'${command}' ended with ${exit_code ?? '?'}`;
  return new Refusal({ message: text, hint: '', kind: '', problems: [], fields: {} });
}
