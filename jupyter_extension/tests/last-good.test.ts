import { describe, expect, it } from 'vitest';

import { keepGood } from '../src/model/last-good';
import type { PipelineInfo, StageRef } from '../src/wire';

const stage = (name: string, line: number): StageRef => ({
  name,
  notebook: `${name}.ipynb`,
  line,
  column: 3
});
const PROBLEM = { path: 'p.yaml', message: 'broken', hint: '', line: 1, column: 1 };

function pipeline(fields: Partial<PipelineInfo>): PipelineInfo {
  return {
    key: 'p',
    name: 'flights',
    path: 'pipelines/p.yaml',
    description: 'All of them.',
    params: [],
    stages: [stage('a', 2), stage('b', 4)],
    problems: [],
    takes_interval: false,
    ...fields
  };
}

describe('a pipeline whose file is broken', () => {
  it('keeps its name and stages where nothing of it can be read', () => {
    const broken = pipeline({ name: 'p', description: '', stages: [], problems: [PROBLEM] });
    const [kept] = keepGood([pipeline({})], [broken]);
    expect(kept).toEqual({ ...pipeline({}), problems: [PROBLEM] });
    expect(keepGood([pipeline({})], keepGood([pipeline({})], [broken]))).toEqual([kept]);
  });

  it('has the stages that can be read where they are now, and the others as they were', () => {
    const [kept] = keepGood([pipeline({})], [pipeline({ stages: [stage('b', 9)], problems: [PROBLEM] })]);
    expect(kept?.stages).toEqual([stage('b', 9), stage('a', 2)]);
  });

  it('is what its file says once that is mended, and where nothing was known', () => {
    const mended = pipeline({ stages: [stage('c', 1)] });
    expect(keepGood([pipeline({})], [mended])).toEqual([mended]);
    const other = pipeline({ key: 'q', stages: [], problems: [PROBLEM] });
    expect(keepGood([pipeline({})], [other])).toEqual([other]);
  });
});
