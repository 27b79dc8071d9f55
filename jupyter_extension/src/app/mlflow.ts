/** MLflow's pages, in a tab of the browser. */

import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { mlflowOf } from '../services/requests';
import type { Store } from '../services/store';

/** Open MLflow's page of runs, or of a stage of one. The tab says so while MLflow starts. Failures go to `say`. */
export function openMlflow(
  { store, trans }: { store: Store; trans: TranslationBundle },
  runs: readonly string[],
  stage: string,
  say: (error: unknown) => void
): void {
  // Opened at once: a browser lets no page be opened later than its click.
  const page = window.open('', '_blank');
  const starting = trans.__('MLflow is starting …');
  if (page !== null) {
    tell(page, starting, trans.__('Its page opens here. The first time that takes up to a minute.'));
  }
  const waiting = Notification.emit(starting, 'in-progress', { autoClose: false });
  mlflowOf(store.api, { project: store.projectPath, runs, stage }, () => page?.closed !== true)
    .then(reply => {
      if (reply === null) {
        Notification.dismiss(waiting);
        return;
      }
      if (page !== null) {
        page.opener = null;
        page.location.href = reply.url;
      }
      const text = reply.found
        ? trans.__('MLflow is at %1', reply.url)
        : trans.__('MLflow does not have the run yet; MLflow is at %1', reply.url);
      Notification.update({ id: waiting, message: text, type: 'success', autoClose: 5000 });
    })
    .catch((error: unknown) => {
      page?.close();
      Notification.dismiss(waiting);
      say(error);
    });
}

/** Show a text in a blank page, in the colours of the theme. */
function tell(page: Window, title: string, text: string): void {
  const { document: blank } = page;
  const theme = getComputedStyle(document.body);
  blank.title = title;
  const heading = blank.createElement('h1');
  heading.textContent = title;
  heading.style.fontSize = '20px';
  const paragraph = blank.createElement('p');
  paragraph.textContent = text;
  blank.body.replaceChildren(heading, paragraph);
  Object.assign(blank.body.style, {
    margin: '48px',
    background: theme.getPropertyValue('--jp-layout-color1'),
    color: theme.getPropertyValue('--jp-ui-font-color1'),
    fontFamily: theme.getPropertyValue('--jp-ui-font-family')
  });
}
