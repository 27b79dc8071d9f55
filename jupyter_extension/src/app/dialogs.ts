/** Dialogs: the name of a new stage, the reason of an acceptance, the use of a kept kernel. */

import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Store } from '../services/store';
import type { Question } from '../views/context';
import type { NewStageReply } from '../wire';

/** Ask for a name, and add a notebook to the open pipeline, a new one if `notebook` is empty; null where the user cancels. */
export async function addStage(
  store: Store,
  trans: TranslationBundle,
  notebook: string
): Promise<NewStageReply | null> {
  const { pipeline } = store;
  if (pipeline === null) {
    throw new Error(trans.__('no pipeline is chosen'));
  }
  const proposed = PathExt.basename(notebook, PathExt.extname(notebook)).replace(/[^A-Za-z0-9_-]+/g, '_');
  const asked = await InputDialog.getText({
    title: notebook
      ? trans.__('Add %1 to the pipeline %2', PathExt.basename(notebook), pipeline.name)
      : trans.__('A new stage in the pipeline %1', pipeline.name),
    label: trans.__('Name of the stage'),
    text: notebook ? proposed : '',
    okLabel: trans.__('Add')
  });
  if (!asked.button.accept || !asked.value) {
    return null;
  }
  return store.api.addStage({
    project: store.projectPath,
    pipeline: pipeline.key,
    name: asked.value,
    notebook
  });
}

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

/** Ask before the edits of a pipeline file are saved, since a stage is added to what is saved. */
export async function confirmSave(trans: TranslationBundle, path: string): Promise<boolean> {
  const asked = await showDialog({
    title: trans.__('Save %1 first?', PathExt.basename(path)),
    body: trans.__('It has edits that are not saved. The stage is added to the saved file.'),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Save') })]
  });
  return asked.button.accept;
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
