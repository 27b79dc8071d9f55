/** What the browser knows of one project, kept up to date. */

import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import { keepGood } from '../model/last-good';
import { applyChange, EMPTY_SNAPSHOT, endedRuns, latestRun, liveRun, type Snapshot } from '../model/snapshot';
import { type StageView, stageViews } from '../model/stage-state';
import type { Change, ErrorReply, PipelineInfo, ProjectInfo, RunInfo, StageRef } from '../wire';
import { type Api, replyOf } from './api';
import { BackfillDesk } from './backfill-desk';
import { RunPlanner } from './run-planner';
import { follow } from './stream';

export type Connection = 'connecting' | 'live' | 'lost';

/** The project and the pipeline that are shown. */
export interface Choice {
  readonly project: string;
  readonly pipeline: string;
  /** The stage that is selected. */
  readonly stage: string | null;
}

export class Store implements IDisposable {
  constructor(readonly api: Api) {
    this.planner = new RunPlanner(api, () => this.notify());
    this.backfills = new BackfillDesk(api, () => this.notify());
  }

  /** Emitted after every change. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What a run of the open pipeline would do. */
  readonly planner: RunPlanner;
  /** The form for a backfill. */
  readonly backfills: BackfillDesk;
  projects: readonly ProjectInfo[] = [];
  /** Whether there are projects that the server does not list. */
  hasMoreProjects = false;
  project: ProjectInfo | null = null;
  pipelines: readonly PipelineInfo[] = [];
  /** The pipeline that is shown. */
  pipeline: PipelineInfo | null = null;
  /** Why nothing can be shown. */
  problem: ErrorReply | null = null;
  snapshot: Snapshot = EMPTY_SNAPSHOT;
  connection: Connection = 'connecting';
  /** The stage that was chosen last, in any view. */
  selected: string | null = null;
  /** How often somebody asked to be shown the selected stage. */
  asked = 0;

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._following?.abort();
    this.planner.dispose();
    Signal.clearData(this);
  }

  /** The path of the project; empty for the server's root. */
  get projectPath(): string {
    return this.project?.path ?? '';
  }

  /** The stages of the pipeline, as they are shown. */
  get views(): readonly StageView[] {
    if (this.pipeline === null) {
      return [];
    }
    const { plan, unplanned } = this.planner;
    const from = [this.snapshot, this.pipeline, plan, unplanned] as const;
    if (from.some((value, at) => value !== this._viewsOf[at])) {
      this._viewsOf = from;
      this._views = stageViews(this.snapshot, this.pipeline, plan?.stages ?? null, unplanned);
    }
    return this._views;
  }

  /** The run of the pipeline that goes on. */
  get liveRun(): RunInfo | undefined {
    return this.pipeline === null ? undefined : liveRun(this.snapshot, this.pipeline.name);
  }

  /** The newest run of the pipeline. */
  get latestRun(): RunInfo | undefined {
    return this.pipeline === null ? undefined : latestRun(this.snapshot, this.pipeline.name);
  }

  view(id: string | null): StageView | undefined {
    return id === null ? undefined : this.views.find(view => view.id === id);
  }

  /** The notebooks of all pipelines that are stages: path → pipeline and stage. */
  stagesOf(notebook: string): { pipeline: PipelineInfo; stage: StageRef }[] {
    return this.pipelines.flatMap(pipeline =>
      pipeline.stages
        .filter(stage => stage.notebook === notebook && stage.program === '')
        .map(stage => ({ pipeline, stage }))
    );
  }

  /** The instances of a stage of any pipeline. Only those of the open one have a plan. */
  viewsOf(pipeline: PipelineInfo, stage: string): readonly StageView[] {
    const views =
      pipeline.key === this.pipeline?.key ? this.views : stageViews(this.snapshot, pipeline, null);
    return views.filter(view => view.stage === stage);
  }

  /** What is shown; null where nothing is. */
  get choice(): Choice | null {
    return this.pipeline === null
      ? null
      : { project: this.projectPath, pipeline: this.pipeline.key, stage: this.selected };
  }

  /** Look for projects, and open the one that was open, or else the `wanted` one, or else the first one. */
  async refresh(wanted?: Choice): Promise<void> {
    try {
      const found = await this.api.projects();
      this.projects = found.projects;
      this.hasMoreProjects = found.more;
    } catch (error) {
      this._tell({ problem: replyOf(error) });
      return;
    }
    const path = this.project?.path ?? wanted?.project;
    const project = this.projects.find(one => one.path === path) ?? this.projects[0] ?? null;
    await this.openProject(project, project?.path === wanted?.project ? wanted : undefined);
  }

  /** Open a project with the pipeline that was open, or else the `wanted` one, or else the first one. */
  async openProject(project: ProjectInfo | null, wanted?: Choice): Promise<void> {
    if (project?.path !== this.project?.path || project === null) {
      this._following?.abort();
      this._following = null;
      this.snapshot = EMPTY_SNAPSHOT;
      this.pipelines = [];
      this.pipeline = null;
      this.planner.open(null);
    }
    this.project = project;
    if (project === null) {
      this.pipelines = [];
      this._tell({ problem: null, connection: 'live' });
      return;
    }
    await this._loadPipelines(wanted);
    if (this._following === null) {
      this._following = new AbortController();
      void follow(this.api, project.path, this._following.signal, {
        seq: () => this.snapshot.seq,
        change: change => this._take(change),
        problem: problem => this._tell({ problem }),
        lost: () => this._tell({ connection: 'lost' })
      });
    }
  }

  openPipeline(key: string): void {
    this._show(this.pipelines.find(one => one.key === key) ?? null);
    this.selected = null;
    this.notify();
    void this.planner.load();
  }

  select(stage: string | null): void {
    if (this.selected !== stage) {
      this.selected = stage;
      this.notify();
    }
  }

  /** Select a stage, and bring it into sight where it is shown. */
  show(stage: string): void {
    this.selected = stage;
    this.asked += 1;
    this.notify();
  }

  /** A file was saved. If it is of the project, a run may do something else now. */
  fileSaved(path: string): void {
    const isInside = this.projectPath === '' || path.startsWith(`${this.projectPath}/`);
    if (this.project !== null && isInside) {
      this.planner.planSoon();
    }
  }

  /** Say that something changed. */
  notify(): void {
    if (!this._isDisposed) {
      this._changed.emit();
    }
  }

  private _show(pipeline: PipelineInfo | null): void {
    if (pipeline?.key !== this.pipeline?.key) {
      this.planner.open(pipeline && { project: this.projectPath, key: pipeline.key });
    }
    this.pipeline = pipeline;
  }

  private async _loadPipelines(wanted?: Choice): Promise<void> {
    try {
      const { pipelines } = await this.api.pipelines(this.projectPath);
      this._read = JSON.stringify(pipelines);
      this.pipelines = keepGood(this.pipelines, pipelines);
      this.problem = null;
    } catch (error) {
      this._tell({ problem: replyOf(error) });
      return;
    }
    const isFirst = this.pipeline === null;
    const key = this.pipeline?.key ?? wanted?.pipeline;
    this._show(this.pipelines.find(one => one.key === key) ?? this.pipelines[0] ?? null);
    if (isFirst && this.choice?.pipeline === wanted?.pipeline) {
      this.selected = wanted?.stage ?? this.selected;
    }
    this.notify();
    await this.planner.load();
  }

  /** Read the files again if they were changed after they were read and before the server watched them. */
  private async _checkPipelines(): Promise<void> {
    const reply = await this.api.pipelines(this.projectPath).catch(() => null);
    if (reply !== null && JSON.stringify(reply.pipelines) !== this._read) {
      await this._loadPipelines();
    }
  }

  private _take(change: Change): void {
    const before = this.snapshot;
    this.snapshot = applyChange(before, change);
    this.connection = 'live';
    this.problem = null;
    const ended = endedRuns(before, this.snapshot);
    if (ended.length > 0) {
      this.planner.runsEnded(ended);
    }
    if (before.seq === null) {
      void this._checkPipelines();
    } else if (before.definitions !== change.definitions) {
      void this._loadPipelines();
    } else if (ended.length > 0) {
      this.planner.planSoon();
    }
    this.notify();
  }

  private _tell(news: Partial<Pick<Store, 'problem' | 'connection'>>): void {
    Object.assign(this, news);
    this.notify();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _isDisposed = false;
  private _read = '';
  private _following: AbortController | null = null;
  private _viewsOf: readonly unknown[] = [];
  private _views: readonly StageView[] = [];
}
