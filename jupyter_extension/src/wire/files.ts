// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

export type FileKind =
  | 'table'
  | 'image'
  | 'text'
  | 'json'
  | 'folder'
  | 'binary'
  | 'missing';

/**
 * A column of a table with its type, which is empty where the file has none.
 * `is_number`: its values are numbers.
 */
export interface FileColumn {
  readonly name: string;
  readonly type: string;
  readonly is_number: boolean;
}

/**
 * The beginning of a file. `modified` is null where it is not there; `size` is
 * in bytes. A `table` has `columns` and `rows` of text, and `total` rows where
 * that is known without reading it all; an `image` its `media` type and its
 * `data` in base64; `text`, `json` and a `folder` have `text`. `note` says
 * what is missing, and why.
 */
export interface FilePreview {
  readonly kind: FileKind;
  readonly size: number;
  readonly modified: number | null;
  readonly note: string;
  readonly text: string;
  readonly columns: readonly FileColumn[];
  readonly rows: readonly (readonly string[])[];
  readonly total: number | null;
  readonly media: string;
  readonly data: string;
}
