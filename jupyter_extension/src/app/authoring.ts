/** Writing pipelines: a new stage, and an output of one stage as an input of another. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';

import { addStage, connectStages } from '../services/authoring';
import { ConnectForm } from '../views/connect-form';
import type { Context } from '../views/context';
import { StageForm } from '../views/stage-form';
import type { NewStageReply } from '../wire';
import { openAt } from './documents';
import { follow } from './follow-files';

/** Ask for a stage, and add it to the open pipeline; with a new notebook where `notebook` is empty. */
export async function askForStage(context: Context, docs: IDocumentManager, notebook: string): Promise<void> {
  const { store, trans } = context;
  if (store.pipeline === null) {
    throw new Error(trans.__('no pipeline is chosen'));
  }
  const asked = await showDialog({
    title: notebook
      ? trans.__('Add %1 to the pipeline %2', PathExt.basename(notebook), store.pipeline.name)
      : trans.__('A new stage in the pipeline %1', store.pipeline.name),
    body: new StageForm(context, notebook),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Add') })],
    focusNodeSelector: 'input'
  });
  if (!asked.button.accept || asked.value === null) {
    return;
  }
  const isNew = asked.value.notebook === '';
  const added = await addStage(store.api, asked.value);
  await show(context, docs, added, 3);
  if (isNew) {
    docs.openOrReveal(added.notebook);
  }
}

/** Ask which output, of the stage `from` if there is one, becomes which input of the stage `to`, and write that down. */
export async function askForInput(
  context: Context,
  docs: IDocumentManager,
  from: string | null,
  to: string
): Promise<void> {
  const { store, trans } = context;
  const asked = await showDialog({
    title: trans.__('An input for %1', to),
    body: new ConnectForm(context, from, to),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Add') })],
    focusNodeSelector: 'select'
  });
  if (asked.button.accept && asked.value !== null) {
    await show(context, docs, await connectStages(store.api, asked.value), 1);
  }
}

/** Show what was added in the pipeline file. Edits in its editor are kept. */
async function show(
  context: Context,
  docs: IDocumentManager,
  { path, lines, line }: NewStageReply,
  column: number
): Promise<void> {
  const editor = docs.findWidget(path, 'Editor');
  if (editor === undefined) {
    await openAt(docs, path, line, column);
    return;
  }
  await follow(docs, editor.context, context);
  // Edits above may have moved it.
  const at = editor.context.model
    .toString()
    .split('\n')
    .indexOf(lines[0] ?? '');
  await openAt(docs, path, at < 0 ? line : at + 1, column);
}
