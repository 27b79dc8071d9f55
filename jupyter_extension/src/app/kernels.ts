/** Kernels with the parameters of a stage, or with what a failed stage left. */

import { Notification } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { KernelMessage } from '@jupyterlab/services';
import type { ISettingRegistry } from '@jupyterlab/settingregistry';

import type { Store } from '../services/store';

/**
 * Put the parameters and paths of a stage into the kernel of a notebook, which is not changed.
 *
 * `stage` is `PIPELINE/STAGE`; `isQuiet` leaves out the notification. Rejects where the kernel refuses.
 */
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
  // Calls, not lines with `%`: no name of a stage can be taken for code.
  const code = `get_ipython().run_line_magic("load_ext", "stagebook")\nget_ipython().run_line_magic("stage", ${line})`;
  const printed: string[] = [];
  let failed = '';
  const future = kernel.requestExecute({ code, store_history: false, stop_on_error: false });
  future.onIOPub = (message: KernelMessage.IIOPubMessage): void => {
    const content = message.content as { text?: string; ename?: string; evalue?: string };
    if (message.header.msg_type === 'stream') {
      printed.push(content.text ?? '');
    } else if (message.header.msg_type === 'error') {
      failed = `${content.ename ?? ''}: ${content.evalue ?? ''}`;
    }
  };
  const reply = await future.done;
  const text = printed.join('').trim();
  if (failed || reply.content.status !== 'ok' || text.startsWith('UsageError')) {
    throw new Error(failed || text || 'the kernel did not take the parameters');
  }
  if (!isQuiet) {
    Notification.success(text, { autoClose: 6000 });
  }
}

/** A word as a shell reads it. */
function quoted(word: string): string {
  return `'${word.replace(/'/g, `'"'"'`)}'`;
}

/** Prepare each new kernel of a notebook that is a stage, where the setting `prepareKernels` says so. */
export function prepareNewKernels(
  settings: ISettingRegistry.ISettings,
  notebooks: INotebookTracker,
  store: Store,
  say: (error: unknown) => void
): void {
  notebooks.widgetAdded.connect((_, panel) => {
    panel.sessionContext.kernelChanged.connect((_context, { newValue }) => {
      const [stage] = store.stagesOf(panel.context.path);
      if (newValue !== null && stage && settings.get('prepareKernels').composite === true) {
        const name = `${stage.pipeline.name}/${stage.stage.name}`;
        prepareKernel(panel, name, store.planner.draft.texts, true).catch(say);
      }
    });
  });
}
