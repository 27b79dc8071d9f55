// Generated from stagebook_lab/wire/ by tools/wire.py. Do not edit.

export type * from './actions';
export type * from './backfills';
export type * from './environments';
export type * from './figures';
export type * from './files';
export type * from './incidents';
export type * from './projects';
export type * from './runs';
export type * from './schedules';
export type * from './timeline';
