/** The form for a backfill: what is asked for, and the plan of it. */

import {
  type BackfillDraft,
  type BackfillTarget,
  EMPTY_BACKFILL,
  requestOf
} from '../model/backfill-request';
import type { BackfillPlanReply, ErrorReply } from '../wire';
import { type Api, replyOf } from './api';
import { planBackfill, startBackfill } from './operations';

export class BackfillDesk {
  /** `notify` is called after every change. */
  constructor(
    private readonly _api: Api,
    private readonly _notify: () => void
  ) {}

  isOpen = false;
  draft: BackfillDraft = EMPTY_BACKFILL;
  /** What a backfill of the draft would do; null where it was not asked for since the draft changed. */
  plan: BackfillPlanReply | null = null;
  /** Why it cannot be planned or started. */
  problem: ErrorReply | null = null;
  /** What goes on: the plan is made, or the backfill begins. */
  busy: 'planning' | 'starting' | null = null;

  show(isOpen: boolean): void {
    this.isOpen = isOpen;
    this._notify();
  }

  /** Change the draft; its plan is none any more. */
  change(patch: Partial<BackfillDraft>): void {
    this.draft = { ...this.draft, ...patch };
    this._forget();
    this._notify();
  }

  /** Another pipeline or environment is filled now. */
  open(target: BackfillTarget): void {
    const key = JSON.stringify(target);
    if (key !== this._key) {
      this._key = key;
      this.draft = EMPTY_BACKFILL;
      this._forget();
    }
  }

  /** Ask what a backfill of the draft would do. */
  async ask(target: BackfillTarget): Promise<void> {
    await this._do('planning', async asked => {
      const plan = await planBackfill(this._api, requestOf(this.draft, target));
      if (asked === this._asked) {
        this.plan = plan;
      }
    });
  }

  /** Start what was planned; whether it began. */
  async start(target: BackfillTarget): Promise<boolean> {
    let begun = false;
    await this._do('starting', async () => {
      await startBackfill(this._api, requestOf(this.draft, target));
      begun = true;
      this.isOpen = false;
      this.plan = null;
    });
    return begun;
  }

  private async _do(busy: 'planning' | 'starting', work: (asked: number) => Promise<void>): Promise<void> {
    this._forget();
    const asked = this._asked;
    this.busy = busy;
    this._notify();
    try {
      await work(asked);
    } catch (error) {
      if (asked === this._asked) {
        this.problem = replyOf(error);
      }
    } finally {
      if (asked === this._asked) {
        this.busy = null;
      }
      this._notify();
    }
  }

  /** What was answered, or is going to be, is of an earlier draft. */
  private _forget(): void {
    this._asked += 1;
    this.plan = this.problem = this.busy = null;
  }

  private _asked = 0;
  private _key = '';
}
