/** Requests that change a pipeline file, and what they can be made of. */

import type { Schema } from '../model/yaml-assist';
import type {
  CheckReply,
  CheckRequest,
  ConnectRequest,
  NewStageReply,
  NewStageRequest,
  StageFormReply
} from '../wire';
import type { Api } from './api';

/** What a stage of a pipeline can be made of, with the parameters of a notebook where one is chosen. */
export function stageForm(
  api: Api,
  project: string,
  pipeline: string,
  notebook: string
): Promise<StageFormReply> {
  return api.get<StageFormReply>(['stages'], { project, pipeline, notebook });
}

/** Add a stage, or with `preview` ask what would be added. Rejects with a `Refusal`, with the mistakes by their fields. */
export function addStage(api: Api, request: NewStageRequest): Promise<NewStageReply> {
  return api.post<NewStageReply>(['stages'], request);
}

/** Make an output an input of another stage, or with `preview` ask what would be added. As `addStage`. */
export function connectStages(api: Api, request: ConnectRequest): Promise<NewStageReply> {
  return api.post<NewStageReply>(['stages', 'inputs'], request);
}

/** What is wrong with the text of a pipeline file, which need not be saved. */
export function checkText(api: Api, request: CheckRequest): Promise<CheckReply> {
  return api.post<CheckReply>(['check'], request);
}

let schema: Promise<Schema> | null = null;

/** The JSON Schema of a pipeline file; asked once. */
export function schemaOf(api: Api): Promise<Schema> {
  schema ??= api.get<Schema>(['schema'], {}).catch((error: unknown) => {
    schema = null;
    throw error;
  });
  return schema;
}
