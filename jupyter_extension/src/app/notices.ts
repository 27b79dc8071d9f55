/** Notices about runs that ended. */

import { Notification } from '@jupyterlab/apputils';
import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { TranslationBundle } from '@jupyterlab/translation';

import { type Ending, endings } from '../model/endings';
import type { RunLauncher } from '../services/run-launcher';
import type { Store } from '../services/store';

interface Parts {
  readonly store: Store;
  readonly launcher: RunLauncher;
  readonly trans: TranslationBundle;
  /** Show a stage of a pipeline in the graph, or the graph alone. */
  readonly show: (pipeline: string, stage: string | null) => void;
}

/** Whether and when somebody is told. */
interface Wishes {
  /** In seconds: of shorter runs nothing is told. */
  after: number;
  inBrowser: boolean;
}

const GONE = 10_000; // milliseconds after which a good notice goes away

/** Tell of runs that took some time when they end, and of those that were started here and did nothing. */
export function tellOfRuns(parts: Parts, settings: ISettingRegistry.ISettings | null): void {
  const { store, launcher } = parts;
  const wishes = settings === null ? { after: 10, inBrowser: false } : follow(settings, parts.trans);
  let before = store.snapshot;
  store.changed.connect(() => {
    const after = store.snapshot;
    if (after === before) {
      return;
    }
    for (const ending of endings(before, after)) {
      if (ending.didNothing ? launcher.isOwn(ending.run) : ending.took >= wishes.after) {
        tell(parts, ending, wishes.inBrowser);
      }
    }
    before = after;
  });
}

function tell({ trans, show }: Parts, ending: Ending, inBrowser: boolean): void {
  const open = (): void => show(ending.run.pipeline, ending.failed);
  const isGood = ending.run.status === 'completed';
  const actions = [
    {
      label: trans.__('Open'),
      caption: ending.failed === null ? trans.__('Show the graph') : trans.__('Show %1', ending.failed),
      callback: open
    }
  ];
  if (ending.didNothing) {
    Notification.info(ending.text, { autoClose: GONE / 2 });
    return;
  }
  if (isGood) {
    Notification.success(ending.text, { autoClose: GONE, actions });
  } else {
    Notification.error(ending.text, { autoClose: false, actions });
  }
  if (inBrowser && !document.hasFocus()) {
    const notice = new window.Notification('Stagebook', { body: ending.text, tag: ending.run.id });
    notice.onclick = () => {
      window.focus();
      open();
      notice.close();
    };
  }
}

/** The wishes as the settings have them. The browser is asked for its permission once notices by it are turned on. */
function follow(settings: ISettingRegistry.ISettings, trans: TranslationBundle): Wishes {
  const wishes: Wishes = { after: 10, inBrowser: false };
  const read = (): void => {
    wishes.after = Number(settings.get('notifyAfter').composite);
    const wanted = settings.get('browserNotifications').composite === true;
    wishes.inBrowser = wanted && isAllowed();
    if (wanted && 'Notification' in window && window.Notification.permission === 'default') {
      void window.Notification.requestPermission().then(() => {
        wishes.inBrowser = isAllowed();
      });
    } else if (wanted && !wishes.inBrowser) {
      Notification.warning(trans.__('The browser does not allow notifications of this page.'));
    }
  };
  read();
  settings.changed.connect(read);
  return wishes;
}

function isAllowed(): boolean {
  return 'Notification' in window && window.Notification.permission === 'granted';
}
