/** What is asked of a person about a run. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

/** Ask before a run that stops already is ended at once. */
export async function confirmKill(trans: TranslationBundle): Promise<boolean> {
  const asked = await showDialog({
    title: trans.__('End the run at once?'),
    body: trans.__(
      'The stages that run are killed. Their notebooks are not saved: what they printed since they were last saved is lost.'
    ),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Let it stop') }),
      Dialog.warnButton({ label: trans.__('Kill now') })
    ]
  });
  return asked.button.accept;
}
