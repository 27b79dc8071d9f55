/** Dialogs: the reason of an acceptance, the use of a kept kernel. */

import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Question } from '../views/context';

/** Ask why outputs are good although something changed; null where the user cancels. */
export async function askBecause(trans: TranslationBundle, stage: string): Promise<string | null> {
  const asked = await InputDialog.getText({
    title: trans.__('Take the outputs of %1 as they are', stage),
    label: trans.__('Why are they good, although something changed?'),
    placeholder: trans.__('only the colours of the plot changed'),
    okLabel: trans.__('Accept')
  });
  return asked.button.accept && asked.value?.trim() ? asked.value : null;
}

/** Ask for a text; null where the user cancels, or says nothing though it is needed. */
export async function askText(
  trans: TranslationBundle,
  { title, label, goOn, isNeeded = false }: Question
): Promise<string | null> {
  const asked = await InputDialog.getText({
    title,
    label: isNeeded ? label : `${label} ${trans.__('It may be left out.')}`,
    okLabel: goOn
  });
  const text = asked.value?.trim() ?? '';
  return asked.button.accept && (text !== '' || !isNeeded) ? text : null;
}

/** Ask before a kept kernel takes the place of the notebook's own. */
export async function confirmAttach(trans: TranslationBundle, stage: string): Promise<boolean> {
  const asked = await showDialog({
    title: trans.__('Use the kernel that %1 left?', stage),
    body: trans.__(
      'The notebook gets this kernel, with all variables of the failed run, in place of its own.'
    ),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Use it') })]
  });
  return asked.button.accept;
}
