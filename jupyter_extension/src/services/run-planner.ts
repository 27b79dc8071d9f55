/** What a run would do: with all stages, and as the form describes it. Nothing starts here. */

import { EMPTY_DRAFT, isIncomplete, type RunDraft, toggled } from '../model/run-request';
import type { ErrorReply, PlanReply } from '../wire';
import { type Api, replyOf } from './api';
import { planOf } from './requests';

const SETTLE = 300; // milliseconds of quiet before a plan is asked for

/** A pipeline that is planned. */
export interface Target {
  /** The path of its project. */
  readonly project: string;
  readonly key: string;
}

export class RunPlanner {
  /** `notify` is called after every change. */
  constructor(
    private readonly _api: Api,
    private readonly _notify: () => void
  ) {}

  /** What a run of all stages with the draft's parameters would do. */
  plan: PlanReply | null = null;
  /** Whether the plan is that of before: there is no newer one, because of the `problem`. */
  isKept = false;
  /** How often it was planned. A plan may be the same although what it rests on has changed further. */
  planned = 0;
  /** Why there is no plan. */
  problem: ErrorReply | null = null;
  /** The mistakes in parameters, by their names. */
  fields: Readonly<Record<string, string>> = {};
  draft: RunDraft = EMPTY_DRAFT;
  /** Whether a run with the draft's parameters is a sweep. */
  isSweep = false;
  /** What a run of the draft would do; null while it is not known. */
  preview: PlanReply | null = null;
  previewProblem: ErrorReply | null = null;
  /** Whether the form is shown. */
  isFormOpen = false;
  /** Runs that ended after the plan was asked for. */
  unplanned: ReadonlySet<string> = new Set();

  /** Whether stages are being chosen: those that are have a mark. */
  get isChoosing(): boolean {
    return this.isFormOpen || this.draft.stages.length > 0;
  }

  get hasMistakes(): boolean {
    return Object.keys(this.fields).length > 0;
  }

  /** Plan another pipeline, with the draft that was left for it; null for none. */
  open(target: Target | null): void {
    if (this._target !== null) {
      this._drafts.set(idOf(this._target), this.draft);
    }
    this._target = target;
    this.draft = (target && this._drafts.get(idOf(target))) ?? EMPTY_DRAFT;
    this.plan = this.preview = null;
    this.problem = this.previewProblem = null;
    this.isKept = false;
    this.fields = {};
    this.isSweep = false;
  }

  /** Change the draft, and plan it. */
  change(patch: Partial<RunDraft>): void {
    this.draft = { ...this.draft, ...patch };
    this.preview = null;
    if (patch.texts !== undefined || patch.sweep !== undefined || patch.interval !== undefined) {
      clearTimeout(this._previewing); // it follows the plan, which may find mistakes
      this.planSoon();
    } else {
      this._previewSoon();
    }
    this._notify();
  }

  /** Give a parameter a value as text; null for its default. */
  setText(name: string, text: string | null): void {
    const others = Object.fromEntries(Object.entries(this.draft.texts).filter(([other]) => other !== name));
    this.change({ texts: text === null ? others : { ...others, [name]: text } });
  }

  /** Choose a stage for the next run, or leave it out again. */
  toggle(stage: string): void {
    this.change(toggled(this.draft, stage));
  }

  /** The form was opened or closed. */
  formOpened(isOpen: boolean): void {
    this.isFormOpen = isOpen;
    this._previewSoon();
    this._notify();
  }

  /** Plan once nothing has changed for a moment. */
  planSoon(): void {
    clearTimeout(this._planning);
    this._planning = setTimeout(() => void this.load(), SETTLE);
  }

  /** The plan is older than the end of these runs. */
  runsEnded(runs: readonly string[]): void {
    this.unplanned = new Set([...this.unplanned, ...runs]);
  }

  /** Ask for the plan now. */
  async load(): Promise<void> {
    const { draft, unplanned: before, _target: target } = this;
    const asked = (this._asked += 1);
    if (target === null) {
      this.plan = this.problem = null;
      this.isKept = false;
      this._notify();
      return;
    }
    const { plan, problem, fields, isSweep } = await planOf(this._api, target.project, target.key, draft);
    const same = (['texts', 'sweep', 'interval'] as const).every(key => this.draft[key] === draft[key]);
    if (this._target !== target || !same || this._asked !== asked) {
      return; // another answer is on its way
    }
    this.unplanned = new Set([...this.unplanned].filter(run => !before.has(run)));
    this.fields = fields;
    this.isSweep = isSweep;
    this.planned += 1;
    const id = idOf(target);
    if (plan !== null) {
      this._good.set(id, plan);
    }
    this.plan = plan ?? this._good.get(id) ?? null;
    this.isKept = problem !== null && this.plan !== null;
    this.problem = problem;
    this._notify();
    this._previewSoon();
  }

  dispose(): void {
    this._target = null;
    clearTimeout(this._planning);
    clearTimeout(this._previewing);
  }

  private _previewSoon(): void {
    clearTimeout(this._previewing);
    this._previewing = setTimeout(() => void this._loadPreview(), SETTLE);
  }

  private async _loadPreview(): Promise<void> {
    const { draft, _target: target } = this;
    let preview: PlanReply | null = null;
    let problem: ErrorReply | null = null;
    if (this.isFormOpen && target !== null && !isIncomplete(draft) && !this.hasMistakes) {
      try {
        preview = await this._api.planWithWorkload(target.project, target.key, draft);
      } catch (error) {
        problem = replyOf(error);
      }
    }
    if (this.draft === draft && this._target === target) {
      this.preview = preview;
      this.previewProblem = problem;
      this._notify();
    }
  }

  private _asked = 0;
  private _target: Target | null = null;
  private _planning: ReturnType<typeof setTimeout> | undefined;
  private _previewing: ReturnType<typeof setTimeout> | undefined;
  /** The last plan of each pipeline. */
  private readonly _good = new Map<string, PlanReply>();
  private readonly _drafts = new Map<string, RunDraft>();
}

function idOf(target: Target): string {
  return JSON.stringify([target.project, target.key]);
}
