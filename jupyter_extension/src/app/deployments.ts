/** Questions before an environment shows something else. */

import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { Refusal } from '../services/api';
import type { Store } from '../services/store';
import type { Act } from '../views/context';
import type { PreviewReply, PreviewRequest } from '../wire';

interface Parts {
  readonly store: Store;
  readonly trans: TranslationBundle;
}

/** Promote the working tree to an environment, or propose that. */
export async function deploy({ store, trans }: Parts, target: string, act: Act): Promise<void> {
  const asked = { project: store.projectPath, target, source: 'dev' };
  const found = await previewOf({ store, trans }, asked);
  if (found === null) {
    return;
  }
  const { reply, dirty } = found;
  const title = trans.__('Promote dev to %1', target);
  const choice = await confirm(trans, title, reply, [
    Dialog.createButton({ label: trans.__('Propose it'), actions: ['propose'] }),
    Dialog.okButton({ label: trans.__('Promote') })
  ]);
  if (choice === null) {
    return;
  }
  const proposes = choice === 'propose';
  const because = await why(trans, title, reply.protected || proposes);
  if (because !== null) {
    act(proposes ? trans.__('proposing …') : trans.__('promoting …'), {
      action: proposes ? 'propose' : 'promote',
      source: 'dev',
      because,
      allow_dirty: dirty
    });
  }
}

/** Carry out a proposal. */
export async function approve(
  { store, trans }: Parts,
  target: string,
  number: number,
  act: Act
): Promise<void> {
  const reply = await store.api.preview({ project: store.projectPath, target, number });
  const title = trans.__('Approve the proposal %1 for %2', number, target);
  if ((await confirm(trans, title, reply, [Dialog.okButton({ label: trans.__('Approve') })])) === null) {
    return;
  }
  const because = await why(trans, title, reply.protected);
  if (because !== null) {
    act(trans.__('deploying …'), { action: 'approve', number, because });
  }
}

/** Show an earlier version again. */
export async function rollBack(
  trans: TranslationBundle,
  target: string,
  version: number,
  act: Act
): Promise<void> {
  const asked = await InputDialog.getText({
    title: trans.__('Show version %1 of %2 again?', version, target),
    label: trans.__('Why? Readers see its data at once, and its code runs from then on.'),
    okLabel: trans.__('Roll back')
  });
  if (asked.button.accept) {
    act(trans.__('rolling back …'), { action: 'rollback', number: version, because: asked.value ?? '' });
  }
}

/** What a promotion would do; where something is not committed, that is asked about first. */
async function previewOf(
  { store, trans }: Parts,
  request: PreviewRequest
): Promise<{ reply: PreviewReply; dirty: boolean } | null> {
  try {
    return { reply: await store.api.preview(request), dirty: false };
  } catch (error) {
    if (!(error instanceof Refusal) || !error.reply.hint.includes('--allow-dirty')) {
      throw error;
    }
    const asked = await showDialog({
      title: trans.__('Not all is committed'),
      body: `${error.reply.message}. ${trans.__('It can be released as it is; that is noted then.')}`,
      buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('As it is') })]
    });
    return asked.button.accept
      ? { reply: await store.api.preview({ ...request, allow_dirty: true }), dirty: true }
      : null;
  }
}

/** Show what would happen; the action of the button, or null where the user cancels or nothing would change. */
async function confirm(
  trans: TranslationBundle,
  title: string,
  reply: PreviewReply,
  buttons: readonly Dialog.IButton[]
): Promise<string | null> {
  const body = new Widget({ node: document.createElement('pre') });
  body.addClass('sb-Preview');
  body.node.textContent = reply.lines.join('\n');
  if (reply.changes_nothing) {
    body.node.textContent += `\n\n${trans.__('%1 shows this already.', reply.target)}`;
  }
  const asked = await showDialog({
    title,
    body,
    buttons: [Dialog.cancelButton(), ...(reply.changes_nothing ? [] : buttons)]
  });
  return asked.button.accept ? (asked.button.actions[0] ?? 'accept') : null;
}

/** Ask why; null where the user cancels, or says nothing though it is needed. */
async function why(trans: TranslationBundle, title: string, isNeeded: boolean): Promise<string | null> {
  const asked = await InputDialog.getText({
    title,
    label: isNeeded
      ? trans.__('Why is this right? It is recorded.')
      : trans.__('Why? It is recorded, and may be left out.'),
    okLabel: trans.__('Go on')
  });
  const text = asked.value?.trim() ?? '';
  return asked.button.accept && (text !== '' || !isNeeded) ? text : null;
}
