/** A drive of JupyterLab whose files are executed notebooks, read-only. */

import type { IChangedArgs } from '@jupyterlab/coreutils';
import type { Contents, ServerConnection } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';

import type { Api } from './api';

export const DRIVE = 'stagebook';

/** The path of the executed notebook of an attempt. */
export function executedPath(project: string, run: string, stage: string, attempt: number): string {
  const parts = [`=${project}`, run, String(attempt), `${stage}.executed.ipynb`];
  return `${DRIVE}:${parts.map(encodeURIComponent).join('/')}`;
}

/** The run, stage and attempt of the path of an executed notebook; null for any other path. */
export function executedOf(path: string): { run: string; stage: string; attempt: number } | null {
  const [head, ...rest] = path.split(':');
  const [, run, attempt, file] = rest.join(':').split('/').map(decodeURIComponent);
  if (head !== DRIVE || run === undefined || attempt === undefined || file === undefined) {
    return null;
  }
  return { run, stage: file.replace(SUFFIX, ''), attempt: Number(attempt) };
}

const SUFFIX = /\.executed\.ipynb$/;

export class ExecutedDrive implements Contents.IDrive {
  constructor(
    private readonly _api: Api,
    readonly serverSettings: ServerConnection.ISettings
  ) {}

  readonly name = DRIVE;

  get fileChanged(): ISignal<this, Contents.IChangedArgs> {
    return this._fileChanged;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    Signal.clearData(this);
  }

  async get(localPath: string, options?: Contents.IFetchOptions): Promise<Contents.IModel> {
    const parts = localPath.split('/').map(decodeURIComponent);
    const [project, run, attempt, file] = parts;
    if (!project?.startsWith('=') || run === undefined || attempt === undefined || file === undefined) {
      return { ...model(localPath, localPath), type: 'directory', format: 'json', content: [] };
    }
    const stage = file.replace(SUFFIX, '');
    const reply = await this._api.notebook(project.slice(1), run, stage, Number(attempt));
    const modified = new Date(reply.modified * 1000).toISOString();
    const content = options?.content === false ? null : reply.content;
    return { ...model(localPath, file), created: modified, last_modified: modified, content };
  }

  getDownloadUrl(): Promise<string> {
    return readOnly();
  }
  newUntitled(): Promise<Contents.IModel> {
    return readOnly();
  }
  delete(): Promise<void> {
    return readOnly();
  }
  rename(): Promise<Contents.IModel> {
    return readOnly();
  }
  save(): Promise<Contents.IModel> {
    return readOnly();
  }
  copy(): Promise<Contents.IModel> {
    return readOnly();
  }
  createCheckpoint(): Promise<Contents.ICheckpointModel> {
    return readOnly();
  }
  listCheckpoints(): Promise<Contents.ICheckpointModel[]> {
    return Promise.resolve([]);
  }
  restoreCheckpoint(): Promise<void> {
    return readOnly();
  }
  deleteCheckpoint(): Promise<void> {
    return readOnly();
  }

  private _isDisposed = false;
  private readonly _fileChanged = new Signal<this, IChangedArgs<Contents.IModel> & Contents.IChangedArgs>(
    this
  );
}

function model(path: string, name: string): Contents.IModel {
  return {
    name,
    path,
    type: 'notebook',
    format: 'json',
    mimetype: '',
    writable: false,
    created: '',
    last_modified: '',
    content: null
  };
}

function readOnly(): Promise<never> {
  return Promise.reject(new Error('an executed notebook is a record and cannot be changed'));
}
