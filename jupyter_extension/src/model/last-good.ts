/** What is shown of a pipeline while its file is broken: what it was before. */

import type { PipelineInfo } from '../wire';

/** The pipelines as they are `now`. Those with mistakes have what was known of them `before`, where the file does not say it. */
export function keepGood(before: readonly PipelineInfo[], now: readonly PipelineInfo[]): PipelineInfo[] {
  return now.map(info => {
    const good = before.find(one => one.key === info.key);
    if (info.problems.length === 0 || good === undefined) {
      return info;
    }
    const isWhole = info.stages.length > 0;
    const read = new Set(info.stages.map(stage => stage.name));
    return {
      ...info,
      name: isWhole ? info.name : good.name,
      description: isWhole ? info.description : good.description,
      params: isWhole ? info.params : good.params,
      stages: [...info.stages, ...good.stages.filter(stage => !read.has(stage.name))]
    };
  });
}
