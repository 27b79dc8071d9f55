/** Pipeline files that are open in an editor follow what is written to disk, and edits in them are kept. */

import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';

import { merge } from '../model/merge';
import type { Context } from '../views/context';

/** What was in the file when its editor had no edits. */
const bases = new WeakMap<DocumentRegistry.Context, string>();
const following = new WeakMap<DocumentRegistry.Context, Promise<void>>();
const asked = new WeakSet<DocumentRegistry.Context>();

/** Look at the open pipeline files whenever the server tells of a change. */
export function followFiles(app: JupyterFrontEnd, docs: IDocumentManager, context: Context): void {
  const { store } = context;
  let seen = '';
  const look = (isNew: boolean): void => {
    const paths = new Set(store.pipelines.map(pipeline => pipeline.path));
    for (const widget of app.shell.widgets('main')) {
      const file = docs.contextForWidget(widget);
      if (file !== undefined && paths.has(file.path) && file.isReady) {
        note(file);
        if (isNew) {
          void follow(docs, file, context);
        }
      }
    }
  };
  store.changed.connect(() => {
    const isNew = store.snapshot.definitions !== seen;
    seen = store.snapshot.definitions;
    look(isNew);
  });
}

/** Keep what is in the file, as long as the editor has no edits, and from then on whenever it is saved or read. */
function note(file: DocumentRegistry.Context): void {
  if (bases.has(file) || file.model.dirty) {
    return;
  }
  const keep = (): void => {
    if (!file.model.dirty) {
      bases.set(file, file.model.toString());
    }
  };
  keep();
  file.saveState.connect(keep);
  file.model.stateChanged.connect(keep);
}

/** Take over what another program wrote, once what was taken over before is there. */
export function follow(
  docs: IDocumentManager,
  file: DocumentRegistry.Context,
  context: Context
): Promise<void> {
  const done = (following.get(file) ?? Promise.resolve()).then(() => takeOver(docs, file, context));
  following.set(file, done);
  return done;
}

/** Edits are merged with what was written where they are in other lines; else the user is asked. */
async function takeOver(
  docs: IDocumentManager,
  file: DocumentRegistry.Context,
  { trans, actions }: Context
): Promise<void> {
  try {
    const now = await docs.services.contents.get(file.path, { content: false });
    if (now.last_modified === file.contentsModel?.last_modified) {
      return;
    }
    if (!file.model.dirty) {
      await file.revert();
      bases.set(file, file.model.toString());
      return;
    }
    const [base, mine] = [bases.get(file), file.model.toString()];
    const theirs = String((await docs.services.contents.get(file.path)).content);
    const merged = base === undefined ? null : merge(base, mine, theirs);
    if (merged !== null) {
      await take(file, merged);
      return;
    }
    if (asked.has(file)) {
      return;
    }
    asked.add(file);
    const message = trans.__('%1 was changed on disk, in lines that have edits here.', file.path);
    const answer = (text: string | null): void => {
      asked.delete(file);
      void (text === null ? file.revert() : take(file, text)).catch(actions.say);
    };
    Notification.warning(message, {
      autoClose: false,
      actions: [
        { label: trans.__('Keep the edits'), callback: () => answer(file.model.toString()) },
        { label: trans.__('Take what is on disk'), callback: () => answer(null) }
      ]
    });
  } catch (error) {
    actions.say(error);
  }
}

/** Have a text in the editor as edits of what is on disk now. */
async function take(file: DocumentRegistry.Context, text: string): Promise<void> {
  await file.revert();
  bases.set(file, file.model.toString());
  if (file.model.toString() !== text) {
    file.model.fromString(text);
  }
}
