/** All requests to the server's side of the extension. */

import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

import { MessageReader } from './model/events';
import type {
  CancelReply,
  Change,
  ErrorReply,
  LogReply,
  NotebookReply,
  PipelinesReply,
  PlanReply,
  ProcessReply,
  ProjectsReply,
  RunRequest
} from './wire';

/** A request that was refused, with what to do about it. */
export class Refusal extends Error {
  constructor(readonly reply: ErrorReply) {
    super(reply.hint ? `${reply.message} – ${reply.hint}` : reply.message);
  }
}

type Query = Readonly<Record<string, string | number>>;

export class Api {
  constructor(private readonly _settings: ServerConnection.ISettings) {}

  projects(): Promise<ProjectsReply> {
    return this._get<ProjectsReply>(['projects'], {});
  }

  pipelines(project: string): Promise<PipelinesReply> {
    return this._get<PipelinesReply>(['pipelines'], { project });
  }

  plan(project: string, pipeline: string): Promise<PlanReply> {
    return this._get<PlanReply>(['plan'], { project, pipeline });
  }

  start(request: RunRequest): Promise<ProcessReply> {
    return this._post<ProcessReply>(['runs'], request);
  }

  resume(project: string, run: string): Promise<ProcessReply> {
    return this._post<ProcessReply>(['runs', run, 'resume'], { project });
  }

  process(project: string, pid: number): Promise<ProcessReply> {
    return this._get<ProcessReply>(['processes', String(pid)], { project });
  }

  cancel(project: string, run: string): Promise<CancelReply> {
    return this._post<CancelReply>(['runs', run, 'cancel'], { project });
  }

  log(project: string, run: string, stage: string, after: number): Promise<LogReply> {
    return this._get<LogReply>(['runs', run, 'log'], { project, stage, after });
  }

  notebook(project: string, run: string, stage: string, attempt: number): Promise<NotebookReply> {
    return this._get<NotebookReply>(['runs', run, 'notebook'], { project, stage, attempt });
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
    const text = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return text.length === 0 ? url : `${url}?${text.join('&')}`;
  }

  private async _get<T>(path: readonly string[], query: Query): Promise<T> {
    return this._ask<T>(this._url(path, query), {});
  }

  private async _post<T>(path: readonly string[], body: object): Promise<T> {
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
    problems: []
  };
  try {
    return new Refusal({ ...empty, ...((await response.json()) as Partial<ErrorReply>) });
  } catch {
    return new Refusal(empty);
  }
}
