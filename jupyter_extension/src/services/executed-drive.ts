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

/** Which executed notebook a path is of. */
export interface Executed {
  readonly project: string;
  readonly run: string;
  readonly stage: string;
  readonly attempt: number;
}

/** The project, run, stage and attempt of the path of an executed notebook; null for any other path. */
export function executedOf(path: string): Executed | null {
  const [head, ...rest] = path.split(':');
  return head === DRIVE ? partsOf(rest.join(':')) : null;
}

function partsOf(localPath: string): Executed | null {
  const [project, run, attempt, file] = localPath.split('/').map(decodeURIComponent);
  if (!project?.startsWith('=') || run === undefined || attempt === undefined || file === undefined) {
    return null;
  }
  return { project: project.slice(1), run, stage: file.replace(SUFFIX, ''), attempt: Number(attempt) };
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
    const of = partsOf(localPath);
    if (of === null) {
      return { ...model(localPath, localPath), type: 'directory', format: 'json', content: [] };
    }
    const reply = await this._api.notebook(of.project, of.run, of.stage, of.attempt);
    const modified = new Date(reply.modified * 1000).toISOString();
    const content = options?.content === false ? null : reply.content;
    const file = `${of.stage}.executed.ipynb`;
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
