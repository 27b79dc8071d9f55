/** What the browser knows of one project, kept up to date, and what it can be asked to do. */

import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { type Api, replyOf } from './api';
import { planOf, runOf } from './requests';
import { follow } from './stream';
import { isIncomplete, NO_ORDER, type Order, requestOf, toggled } from '../model/run-request';
import { apply, EMPTY, latestRun, liveRun, type Picture } from '../model/snapshot';
import { type StageView, stageViews } from '../model/stage-state';
import type {
  ErrorReply,
  PipelineInfo,
  PlanReply,
  ProcessReply,
  ProjectInfo,
  RunInfo,
  RunRequest,
  StageRef
} from '../wire';

const SETTLE = 300; // milliseconds of quiet before a plan is made anew

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
  /** What is wrong with the parameters, by their names. */
  fields: Readonly<Record<string, string>> = {};
  /** What a run is asked for, where it is not all stages with the defaults. */
  order: Order = NO_ORDER;
  /** What that run would do; null while it is not known. */
  preview: PlanReply | null = null;
  previewProblem: ErrorReply | null = null;
  /** Whether the form is shown in which runs are asked for. */
  isOrdering = false;
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
    clearTimeout(this._previewing);
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
    const from = [this.picture, this.pipeline, this.plan, this._unplanned] as const;
    if (from.some((value, at) => value !== this._viewsOf[at])) {
      this._viewsOf = from;
      this._views = stageViews(this.picture, this.pipeline.name, this.plan?.stages ?? null, this._unplanned);
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
      void follow(this._api, project.path, this._following.signal, {
        seq: () => this.picture.seq,
        change: change => this._take(change),
        problem: problem => this._tell({ problem }),
        lost: () => this._tell({ connection: 'lost' })
      });
    }
  }

  openPipeline(key: string): void {
    if (this.pipeline !== null) {
      this._orders.set(this.pipeline.key, this.order);
    }
    this.pipeline = this.pipelines.find(one => one.key === key) ?? null;
    this.order = this._orders.get(key) ?? NO_ORDER;
    this.plan = this.preview = null;
    this.planProblem = this.previewProblem = null;
    this.fields = {};
    this.selected = null;
    this._emit();
    void this._loadPlan();
  }

  /** Ask for a run otherwise. Nothing starts; what it would do is planned. */
  setOrder(patch: Partial<Order>): void {
    const isPlanned = patch.texts !== undefined || patch.sweep !== undefined;
    this.order = { ...this.order, ...patch };
    this.preview = null;
    if (isPlanned) {
      clearTimeout(this._previewing); // it comes after the plan, which may find mistakes
      this._planSoon();
    } else {
      this._previewSoon();
    }
    this._emit();
  }

  /** Give a parameter a value as text; null for its default. */
  setText(name: string, text: string | null): void {
    const others = Object.fromEntries(Object.entries(this.order.texts).filter(([other]) => other !== name));
    this.setOrder({ texts: text === null ? others : { ...others, [name]: text } });
  }

  /** Choose a stage for the next run, or leave it out again. */
  toggle(stage: string): void {
    this.setOrder(toggled(this.order, stage));
  }

  /** Show or hide the form. */
  setOrdering(isOrdering: boolean): void {
    this.isOrdering = isOrdering;
    this._previewSoon();
    this._emit();
  }

  /** Whether a run with the parameters as they are can be started. */
  get canStart(): boolean {
    return (
      this.pipeline !== null &&
      this.liveRun === undefined &&
      this.planProblem === null &&
      Object.keys(this.fields).length === 0 &&
      !this.isStarting
    );
  }

  /** The notebooks of all pipelines that are stages: path → pipeline and stage. */
  stagesOf(notebook: string): { pipeline: PipelineInfo; stage: StageRef }[] {
    return this.pipelines.flatMap(pipeline =>
      pipeline.stages.filter(stage => stage.notebook === notebook).map(stage => ({ pipeline, stage }))
    );
  }

  /** What last became of the instances of a stage of any pipeline; those of the open one have a plan. */
  viewsOf(pipeline: PipelineInfo, stage: string): readonly StageView[] {
    const views =
      pipeline.key === this.pipeline?.key ? this.views : stageViews(this.picture, pipeline.name, null);
    return views.filter(view => view.stage === stage);
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

  /** Start what was asked for. As `start`. */
  async startOrder(): Promise<string> {
    if (isIncomplete(this.order)) {
      throw new Error('no stage is chosen');
    }
    return this.start(requestOf(this.order));
  }

  /** The last run, where it left something to do. */
  get resumable(): RunInfo | undefined {
    const run = this.latestRun;
    return run !== undefined && ['failed', 'cancelled', 'interrupted'].includes(run.status) ? run : undefined;
  }

  /** Do what is left of a run, of the last one if none is named; `failedOnly` as `stagebook retry`. */
  async resume(failedOnly = false, run = this.resumable?.id): Promise<string> {
    if (run === undefined) {
      throw new Error('no run is left to be resumed');
    }
    return this._wait(project => this._api.resume(run, { project, failed_only: failedOnly }));
  }

  private async _wait(begin: (project: string) => Promise<ProcessReply>): Promise<string> {
    this.isStarting = true;
    this._emit();
    try {
      return await runOf(this._api, this.projectPath, begin);
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
    const { order, _unplanned: before } = this;
    const { plan, problem, fields } = await planOf(this._api, this.projectPath, pipeline.key, order);
    if (this.pipeline?.key !== pipeline.key || this.isDisposed || this.order.texts !== order.texts) {
      return; // another answer is on its way
    }
    this._unplanned = new Set([...this._unplanned].filter(run => !before.has(run)));
    this.fields = fields; // what is wrong stands there
    this.plan = plan ?? (Object.keys(fields).length > 0 ? this.plan : null);
    this.planProblem = problem;
    this._emit();
    this._previewSoon();
  }

  private _previewSoon(): void {
    clearTimeout(this._previewing);
    this._previewing = setTimeout(() => void this._loadPreview(), SETTLE);
  }

  private async _loadPreview(): Promise<void> {
    const { order, pipeline } = this;
    if (!this.isOrdering || pipeline === null || isIncomplete(order) || Object.keys(this.fields).length > 0) {
      this.preview = this.previewProblem = null;
      this._emit();
      return;
    }
    let preview: PlanReply | null = null;
    let problem: ErrorReply | null = null;
    try {
      preview = await this._api.plan(this.projectPath, pipeline.key, order);
    } catch (error) {
      problem = replyOf(error);
    }
    if (this.order === order && this.pipeline?.key === pipeline.key && !this.isDisposed) {
      this.preview = preview;
      this.previewProblem = problem;
      this._emit();
    }
  }

  /** Plan anew: what a run would do may be different. */
  planAnew(): void {
    this._planSoon();
  }

  private _planSoon(): void {
    clearTimeout(this._planning);
    this._planning = setTimeout(() => void this._loadPlan(), SETTLE);
  }

  private _take(change: Parameters<typeof apply>[1]): void {
    const before = this.picture;
    this.picture = apply(before, change);
    this.connection = 'live';
    this.problem = null;
    const ended = before.runs
      .filter(run => run.ended === null)
      .filter(run => this.picture.runs.some(now => now.id === run.id && now.ended !== null))
      .map(run => run.id);
    if (ended.length > 0) {
      this._unplanned = new Set([...this._unplanned, ...ended]);
    }
    if (before.seq !== null && before.definitions !== change.definitions) {
      void this._loadPipelines();
    } else if (ended.length > 0) {
      this._planSoon();
    }
    this._emit();
  }

  private _fail(error: unknown): void {
    this._tell({ problem: replyOf(error) });
  }

  private _tell(news: Partial<Pick<Store, 'problem' | 'connection'>>): void {
    Object.assign(this, news);
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
  private _previewing: ReturnType<typeof setTimeout> | undefined;
  private readonly _orders = new Map<string, Order>();
  private _unplanned: ReadonlySet<string> = new Set(); // runs that have ended since the plan was asked for
  private _viewsOf: readonly unknown[] = [];
  private _views: readonly StageView[] = [];
}
