/** Notebooks become stages, and kernels get what a stage would get. */

import { Dialog, InputDialog, Notification, showDialog } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { KernelMessage } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Store } from '../services/store';
import type { NewStageReply } from '../wire';

/** Ask for a name, and add a notebook to the open pipeline; null where the user thought better of it. */
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

/** Ask why outputs are good all the same; null where nothing was said. */
export async function askBecause(trans: TranslationBundle, stage: string): Promise<string | null> {
  const asked = await InputDialog.getText({
    title: trans.__('Take the outputs of %1 as they are', stage),
    label: trans.__('Why are they good, although something changed?'),
    placeholder: trans.__('only the colours of the plot changed'),
    okLabel: trans.__('Accept')
  });
  return asked.button.accept && asked.value?.trim() ? asked.value : null;
}

/** Ask before a kept kernel takes the place of the notebook's own. */
export async function confirmAttach(trans: TranslationBundle, stage: string): Promise<boolean> {
  const done = await showDialog({
    title: trans.__('Use the kernel that %1 left?', stage),
    body: trans.__('The notebook gets the kernel with all that the failed run had in it. Its own is let go.'),
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Use it') })]
  });
  return done.button.accept;
}

/** Put the parameters and paths of a stage into the kernel of a notebook. Nothing is written to it. */
export async function prepareKernel(
  panel: NotebookPanel,
  stage: string,
  texts: Readonly<Record<string, string>>,
  isQuiet = false
): Promise<void> {
  await panel.sessionContext.ready;
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) {
    throw new Error('the notebook has no kernel');
  }
  const words = [stage, ...Object.entries(texts).flatMap(([name, text]) => ['-p', `${name}=${text}`])];
  const line = JSON.stringify(words.map(quoted).join(' '));
  // As calls, and not as lines with `%`: no name can be taken for anything but a name.
  const code = `get_ipython().run_line_magic("load_ext", "stagebook")\nget_ipython().run_line_magic("stage", ${line})`;
  const said: string[] = [];
  let failed = '';
  const future = kernel.requestExecute({ code, store_history: false, stop_on_error: false });
  future.onIOPub = (message: KernelMessage.IIOPubMessage): void => {
    const content = message.content as { text?: string; ename?: string; evalue?: string };
    if (message.header.msg_type === 'stream') {
      said.push(content.text ?? '');
    } else if (message.header.msg_type === 'error') {
      failed = `${content.ename ?? ''}: ${content.evalue ?? ''}`;
    }
  };
  const reply = await future.done;
  const text = said.join('').trim();
  if (failed || reply.content.status !== 'ok' || text.startsWith('UsageError')) {
    throw new Error(failed || text || 'the kernel did not take it');
  }
  if (!isQuiet) {
    Notification.success(text, { autoClose: 6000 });
  }
}

/** As a shell reads it. */
function quoted(word: string): string {
  return `'${word.replace(/'/g, `'"'"'`)}'`;
}
