/** All requests to the server's side of the extension. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { MessageReader } from '../model/sse';
import { EMPTY_DRAFT, queryOf, type RunDraft } from '../model/run-request';
import type {
  AcceptReply,
  AcceptRequest,
  CancelReply,
  Change,
  ChangesReply,
  CompareReply,
  DraftReply,
  DraftRequest,
  EnvironmentReply,
  EnvironmentRequest,
  EnvironmentsReply,
  ErrorReply,
  FilePreview,
  KernelReply,
  KernelRequest,
  LogReply,
  MlflowReply,
  MlflowRequest,
  MonitorsReply,
  Note,
  NoteRequest,
  NotebookReply,
  PageReply,
  PipelinesReply,
  PlanReply,
  PreviewReply,
  PreviewRequest,
  ProcessReply,
  ProjectsReply,
  ResumeRequest,
  RunReply,
  RunRequest,
  RunsReply,
  WhyReply
} from '../wire';

/** A request that was refused, with what to do about it. */
export class Refusal extends Error {
  constructor(readonly reply: ErrorReply) {
    super(reply.hint ? `${reply.message} – ${reply.hint}` : reply.message);
  }
}

/** An error in the form of the server's refusals. */
export function replyOf(error: unknown): ErrorReply {
  if (error instanceof Refusal) {
    return error.reply;
  }
  return {
    message: error instanceof Error ? error.message : String(error),
    hint: '',
    kind: '',
    problems: [],
    fields: {}
  };
}

const POLL = 300; // milliseconds between two looks at a process

type Query = Readonly<Record<string, string | number>> | readonly (readonly [string, string])[];

export class Api {
  constructor(private readonly _settings: ServerConnection.ISettings) {}

  projects(): Promise<ProjectsReply> {
    return this.get<ProjectsReply>(['projects'], {});
  }

  pipelines(project: string): Promise<PipelinesReply> {
    return this.get<PipelinesReply>(['pipelines'], { project });
  }

  plan(project: string, pipeline: string, draft: RunDraft): Promise<PlanReply> {
    return this.get<PlanReply>(['plan'], [['project', project], ['pipeline', pipeline], ...queryOf(draft)]);
  }

  /** As `plan`, with how much there is to do. */
  planWithWorkload(project: string, pipeline: string, draft: RunDraft): Promise<PlanReply> {
    const words = [...queryOf(draft), ['workload', '1'] as const];
    return this.get<PlanReply>(['plan'], [['project', project], ['pipeline', pipeline], ...words]);
  }

  why(project: string, pipeline: string, stage: string, { texts }: RunDraft): Promise<WhyReply> {
    const words = queryOf({ ...EMPTY_DRAFT, texts });
    return this.get<WhyReply>(
      ['why'],
      [['project', project], ['pipeline', pipeline], ['stage', stage], ...words]
    );
  }

  monitors(project: string, pipeline: string, stage: string): Promise<MonitorsReply> {
    return this.get<MonitorsReply>(['monitors'], { project, pipeline, stage });
  }

  /** The beginning of a file that a stage of the pipeline reads or writes. */
  file(project: string, pipeline: string, path: string, draft: RunDraft): Promise<FilePreview> {
    const { texts, sweep, interval } = draft;
    const words = { ...EMPTY_DRAFT, texts, sweep, interval };
    return this.get<FilePreview>(
      ['file'],
      [['project', project], ['pipeline', pipeline], ['path', path], ...queryOf(words)]
    );
  }

  runs(project: string, pipeline: string, limit: number): Promise<RunsReply> {
    return this.get<RunsReply>(['runs'], { project, pipeline, limit });
  }

  run(project: string, run: string): Promise<RunReply> {
    return this.get<RunReply>(['runs', run], { project });
  }

  compare(project: string, runs: readonly string[]): Promise<CompareReply> {
    const words = runs.map((run): [string, string] => ['run', run]);
    return this.get<CompareReply>(['compare'], [['project', project], ...words]);
  }

  changes(project: string, run: string, stage: string, attempt: number): Promise<ChangesReply> {
    return this.get<ChangesReply>(['runs', run, 'changes'], { project, stage, attempt });
  }

  note(run: string, request: NoteRequest): Promise<Note> {
    return this.post<Note>(['runs', run, 'notes'], request);
  }

  accept(request: AcceptRequest): Promise<AcceptReply> {
    return this.post<AcceptReply>(['accept'], request);
  }

  draft(request: DraftRequest): Promise<DraftReply> {
    return this.post<DraftReply>(['contracts'], request);
  }

  mlflow(request: MlflowRequest): Promise<MlflowReply> {
    return this.post<MlflowReply>(['mlflow'], request);
  }

  kernel(run: string, request: KernelRequest): Promise<KernelReply> {
    return this.post<KernelReply>(['runs', run, 'kernel'], request);
  }

  environments(project: string): Promise<EnvironmentsReply> {
    return this.get<EnvironmentsReply>(['environments'], { project });
  }

  environment(project: string, name: string): Promise<EnvironmentReply> {
    return this.get<EnvironmentReply>(['environments', name], { project });
  }

  preview(request: PreviewRequest): Promise<PreviewReply> {
    return this.post<PreviewReply>(['preview'], request);
  }

  difference(project: string, before: string, after: string): Promise<PageReply> {
    return this.get<PageReply>(['difference'], { project, before, after });
  }

  report(project: string): Promise<PageReply> {
    return this.get<PageReply>(['report'], { project });
  }

  /** Do something about an environment, and wait for its end. Rejects with a `Refusal` where it does not come to a good one. */
  async act(request: EnvironmentRequest): Promise<void> {
    let process = await this.post<ProcessReply>(['environments'], request);
    while (process.exit_code === null) {
      await new Promise(resolve => setTimeout(resolve, POLL));
      process = await this.process(request.project ?? '', process.pid);
    }
    if (process.exit_code !== 0) {
      const message = process.message || `'${process.command}' ended with ${process.exit_code}`;
      throw new Refusal({ message, hint: '', kind: '', problems: [], fields: {} });
    }
  }

  start(request: RunRequest): Promise<ProcessReply> {
    return this.post<ProcessReply>(['runs'], request);
  }

  resume(run: string, request: ResumeRequest): Promise<ProcessReply> {
    return this.post<ProcessReply>(['runs', run, 'resume'], request);
  }

  process(project: string, pid: number): Promise<ProcessReply> {
    return this.get<ProcessReply>(['processes', String(pid)], { project });
  }

  cancel(project: string, run: string): Promise<CancelReply> {
    return this.post<CancelReply>(['runs', run, 'cancel'], { project });
  }

  log(project: string, run: string, stage: string, attempt: number, after: number): Promise<LogReply> {
    return this.get<LogReply>(['runs', run, 'log'], { project, stage, attempt, after });
  }

  /** An executed notebook; without content where it is as it was `seen`, the time of an earlier reply. */
  notebook(
    project: string,
    run: string,
    stage: string,
    attempt: number,
    seen?: number
  ): Promise<NotebookReply> {
    const since: Record<string, number> = seen === undefined ? {} : { seen };
    return this.get<NotebookReply>(['runs', run, 'notebook'], { project, stage, attempt, ...since });
  }

  /**
   * Follow what changes in a project, from the event after `last` on, until `signal` aborts it. The
   * promise settles when the connection ends.
   */
  async follow(
    project: string,
    last: number | null,
    signal: AbortSignal,
    on: { change: (change: Change) => void; problem: (problem: ErrorReply) => void }
  ): Promise<void> {
    const headers: Record<string, string> = last === null ? {} : { 'Last-Event-ID': String(last) };
    const response = await ServerConnection.makeRequest(
      this._url(['stream'], { project }),
      { headers, signal },
      this._settings
    );
    if (!response.ok || response.body === null) {
      throw await refusal(response);
    }
    const reader = new MessageReader();
    const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await pieces.read();
      if (done) {
        return;
      }
      for (const message of reader.take(value)) {
        if (message.event === 'change') {
          on.change(JSON.parse(message.data) as Change);
        } else if (message.event === 'problem') {
          on.problem(JSON.parse(message.data) as ErrorReply);
        }
      }
    }
  }

  private _url(path: readonly string[], query: Query): string {
    const url = URLExt.join(this._settings.baseUrl, 'stagebook', ...path.map(encodeURIComponent));
    const words: readonly (readonly [string, string | number])[] = Array.isArray(query)
      ? (query as readonly (readonly [string, string])[])
      : Object.entries(query as Readonly<Record<string, string | number>>);
    const text = words.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return text.length === 0 ? url : `${url}?${text.join('&')}`;
  }

  async get<T>(path: readonly string[], query: Query): Promise<T> {
    return this._ask<T>(this._url(path, query), {});
  }

  async post<T>(path: readonly string[], body: object): Promise<T> {
    return this._ask<T>(this._url(path, {}), { method: 'POST', body: JSON.stringify(body) });
  }

  private async _ask<T>(url: string, init: RequestInit): Promise<T> {
    const response = await ServerConnection.makeRequest(url, init, this._settings);
    if (!response.ok) {
      throw await refusal(response);
    }
    return (await response.json()) as T;
  }
}

async function refusal(response: Response): Promise<Refusal> {
  const empty: ErrorReply = {
    message: `the server answered ${response.status}`,
    hint: '',
    kind: '',
    problems: [],
    fields: {}
  };
  try {
    return new Refusal({ ...empty, ...((await response.json()) as Partial<ErrorReply>) });
  } catch {
    return new Refusal(empty);
  }
}
