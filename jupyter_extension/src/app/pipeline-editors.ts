/** The editors of pipeline files: they complete, explain and check what is typed. */

import type { Extension } from '@codemirror/state';
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { DocumentRegistry, IDocumentWidget } from '@jupyterlab/docregistry';
import { DisposableDelegate, type IDisposable } from '@lumino/disposable';

import { checkText, schemaOf } from '../services/authoring';
import type { Context } from '../views/context';

const FILE = /(?:^|\/)pipelines\/[^/]+\.ya?ml$/;

/** JupyterLab's editor, as far as it takes extensions of CodeMirror. */
interface Injectable {
  readonly editor?: { injectExtension?(extension: Extension): void };
}

/** Help with each pipeline file that is opened from now on. */
export function assistEditors(app: JupyterFrontEnd, context: Context): void {
  const { store, trans } = context;
  app.docRegistry.addWidgetExtension('Editor', {
    createNew: (widget: IDocumentWidget, file: DocumentRegistry.Context): IDisposable => {
      const { content } = widget as unknown as { readonly content: Injectable };
      if (FILE.test(file.path)) {
        // What completes is loaded once a pipeline file is opened.
        void Promise.all([import('../views/pipeline-editor'), file.ready]).then(([{ pipelineEditor }]) => {
          content.editor?.injectExtension?.(
            pipelineEditor({
              trans,
              schema: () => schemaOf(store.api),
              check: text =>
                checkText(store.api, { project: projectOf(context, file.path), path: file.path, text })
            })
          );
        });
      }
      return new DisposableDelegate(() => undefined);
    }
  });
}

/** The project that a pipeline file is of: the nearest one above it. */
function projectOf({ store }: Context, path: string): string {
  const above = store.projects.filter(({ path: it }) => it === '' || path.startsWith(`${it}/`));
  return above.map(project => project.path).sort((one, other) => other.length - one.length)[0] ?? '';
}
