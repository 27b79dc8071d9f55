/** What the browser knows of one project, kept up to date, and what it can be asked to do. */

import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Api, Refusal } from './api';
import { apply, EMPTY, latestRun, liveRun, type Picture } from './model/picture';
import { type StageView, stageViews } from './model/stages';
import type {
  ErrorReply,
  PipelineInfo,
  PlanReply,
  ProcessReply,
  ProjectInfo,
  RunInfo,
  RunRequest
} from './wire';

const RETRY = { first: 500, most: 10_000 }; // milliseconds until the next attempt to connect
const SETTLE = 300; // milliseconds of quiet before a plan is made anew
const ASK = 300; // milliseconds between two looks at a process that was started
const PATIENCE = 120_000; // milliseconds until a process has to be a run

export type Connection = 'connecting' | 'live' | 'lost';

export class Store implements IDisposable {
  constructor(private readonly _api: Api) {}

  /** Something is different now. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  projects: readonly ProjectInfo[] = [];
  project: ProjectInfo | null = null;
  pipelines: readonly PipelineInfo[] = [];
  /** The pipeline that is shown. */
  pipeline: PipelineInfo | null = null;
  plan: PlanReply | null = null;
  /** Why there is no plan. */
  planProblem: ErrorReply | null = null;
  /** Why nothing can be shown. */
  problem: ErrorReply | null = null;
  picture: Picture = EMPTY;
  connection: Connection = 'connecting';
  /** The stage that was chosen last, in any view. */
  selected: string | null = null;
  isStarting = false;

  get isDisposed(): boolean {
    return this._stop.signal.aborted;
  }

  dispose(): void {
    this._stop.abort();
    this._following?.abort();
    clearTimeout(this._planning);
    Signal.clearData(this);
  }

  get api(): Api {
    return this._api;
  }

  /** The path of the project; empty for the server's root. */
  get projectPath(): string {
    return this.project?.path ?? '';
  }

  get views(): readonly StageView[] {
    if (this.pipeline === null) {
      return [];
    }
    const from = [this.picture, this.pipeline, this.plan] as const;
    if (from.some((value, at) => value !== this._viewsOf[at])) {
      this._viewsOf = from;
      this._views = stageViews(this.picture, this.pipeline.name, this.plan?.stages ?? null);
    }
    return this._views;
  }

  get liveRun(): RunInfo | undefined {
    return this.pipeline === null ? undefined : liveRun(this.picture, this.pipeline.name);
  }

  get latestRun(): RunInfo | undefined {
    return this.pipeline === null ? undefined : latestRun(this.picture, this.pipeline.name);
  }

  view(id: string | null): StageView | undefined {
    return id === null ? undefined : this.views.find(view => view.id === id);
  }

  /** Look for projects, and open the first one or the one that was open. */
  async refresh(): Promise<void> {
    try {
      this.projects = (await this._api.projects()).projects;
    } catch (error) {
      this._fail(error);
      return;
    }
    const path = this.project?.path;
    const project = this.projects.find(one => one.path === path) ?? this.projects[0] ?? null;
    await this.openProject(project);
  }

  async openProject(project: ProjectInfo | null): Promise<void> {
    if (project?.path !== this.project?.path || project === null) {
      this._following?.abort();
      this._following = null;
      this.picture = EMPTY;
      this.pipeline = this.plan = null;
    }
    this.project = project;
    if (project === null) {
      this.pipelines = [];
      this.problem = null;
      this.connection = 'live';
      this._emit();
      return;
    }
    await this._loadPipelines();
    if (this._following === null) {
      this._following = new AbortController();
      void this._follow(project.path, this._following.signal);
    }
  }

  openPipeline(key: string): void {
    this.pipeline = this.pipelines.find(one => one.key === key) ?? null;
    this.plan = null;
    this.planProblem = null;
    this.selected = null;
    this._emit();
    void this._loadPlan();
  }

  select(stage: string | null): void {
    if (this.selected !== stage) {
      this.selected = stage;
      this._emit();
    }
  }

  /** A file of the project was saved: what a run would do may be different now. */
  fileSaved(path: string): void {
    const inside = this.projectPath === '' || path.startsWith(`${this.projectPath}/`);
    if (this.project !== null && inside) {
      this._planSoon();
    }
  }

  /**
   * Start a run, and wait until the journal has it.
   *
   * Rejects with a `Refusal` where it cannot be started.
   */
  async start(request: Omit<RunRequest, 'pipeline' | 'project'>): Promise<string> {
    if (this.pipeline === null) {
      throw new Error('no pipeline is chosen');
    }
    const pipeline = this.pipeline.key;
    return this._wait(project => this._api.start({ ...request, project, pipeline }));
  }

  /** The last run, where it left something to do. */
  get resumable(): RunInfo | undefined {
    const run = this.latestRun;
    return run !== undefined && ['failed', 'cancelled', 'interrupted'].includes(run.status) ? run : undefined;
  }

  /** Do what is left of the last run. As `start`. */
  async resume(): Promise<string> {
    const run = this.resumable;
    if (run === undefined) {
      throw new Error('no run is left to be resumed');
    }
    return this._wait(project => this._api.resume(project, run.id));
  }

  private async _wait(begin: (project: string) => Promise<ProcessReply>): Promise<string> {
    const project = this.projectPath;
    this.isStarting = true;
    this._emit();
    try {
      let process = await begin(project);
      const patience = Date.now() + PATIENCE;
      while (process.run === null && process.exit_code === null && Date.now() < patience) {
        await new Promise(resolve => setTimeout(resolve, ASK));
        process = await this._api.process(project, process.pid);
      }
      if (process.run === null) {
        const message = process.message || `'${process.command}' did not start a run`;
        throw new Refusal({ message, hint: '', kind: '', problems: [] });
      }
      return process.run;
    } finally {
      this.isStarting = false;
      this._emit();
    }
  }

  /** Ask the run that goes on to stop; asked again, it ends at once. */
  async cancel(): Promise<void> {
    const run = this.liveRun;
    if (run !== undefined) {
      await this._api.cancel(this.projectPath, run.id);
    }
  }

  private async _loadPipelines(): Promise<void> {
    try {
      this.pipelines = (await this._api.pipelines(this.projectPath)).pipelines;
      this.problem = null;
    } catch (error) {
      this._fail(error);
      return;
    }
    const key = this.pipeline?.key;
    this.pipeline = this.pipelines.find(one => one.key === key) ?? this.pipelines[0] ?? null;
    this._emit();
    await this._loadPlan();
  }

  private async _loadPlan(): Promise<void> {
    const pipeline = this.pipeline;
    if (pipeline === null) {
      this.plan = this.planProblem = null;
      this._emit();
      return;
    }
    let plan: PlanReply | null = null;
    let problem: ErrorReply | null = null;
    try {
      plan = await this._api.plan(this.projectPath, pipeline.key);
    } catch (error) {
      problem = replyOf(error);
    }
    if (this.pipeline?.key === pipeline.key && !this.isDisposed) {
      this.plan = plan;
      this.planProblem = problem;
      this._emit();
    }
  }

  private _planSoon(): void {
    clearTimeout(this._planning);
    this._planning = setTimeout(() => void this._loadPlan(), SETTLE);
  }

  private async _follow(project: string, signal: AbortSignal): Promise<void> {
    let wait = RETRY.first;
    const isOver = (): boolean => signal.aborted || this.isDisposed;
    while (!isOver()) {
      try {
        await this._api.follow(project, this.picture.seq, signal, {
          change: change => {
            wait = RETRY.first;
            this._take(change);
          },
          problem: problem => {
            this.problem = problem;
            this._emit();
          }
        });
      } catch (error) {
        if (error instanceof Refusal) {
          this.problem = error.reply;
        }
      }
      if (isOver()) {
        return;
      }
      this.connection = 'lost';
      this._emit();
      await new Promise(resolve => setTimeout(resolve, wait));
      wait = Math.min(wait * 2, RETRY.most);
    }
  }

  private _take(change: Parameters<typeof apply>[1]): void {
    const before = this.picture;
    this.picture = apply(before, change);
    this.connection = 'live';
    this.problem = null;
    const ended = before.runs.some(
      run => run.ended === null && this.picture.runs.some(now => now.id === run.id && now.ended !== null)
    );
    if (before.seq !== null && before.definitions !== change.definitions) {
      void this._loadPipelines();
    } else if (ended) {
      this._planSoon();
    }
    this._emit();
  }

  private _fail(error: unknown): void {
    this.problem = replyOf(error);
    this._emit();
  }

  private _emit(): void {
    if (!this.isDisposed) {
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _stop = new AbortController();
  private _following: AbortController | null = null;
  private _planning: ReturnType<typeof setTimeout> | undefined;
  private _viewsOf: readonly unknown[] = [];
  private _views: readonly StageView[] = [];
}

function replyOf(error: unknown): ErrorReply {
  if (error instanceof Refusal) {
    return error.reply;
  }
  return {
    message: error instanceof Error ? error.message : String(error),
    hint: '',
    kind: '',
    problems: []
  };
}
