import { expect, test } from 'vitest';

import { MessageReader } from '../src/model/sse';

const TEXT = 'id: 4\nevent: change\ndata: {"a":"b: c"}\n\n: alive\n\nevent: problem\ndata: x\ndata: y\n\n';

test('messages are the same however the text is cut', () => {
  const whole = new MessageReader().take(TEXT);
  expect(whole).toEqual([
    { id: '4', event: 'change', data: '{"a":"b: c"}' },
    { id: '', event: 'problem', data: 'x\ny' }
  ]);
  for (let size = 1; size < TEXT.length; size++) {
    const reader = new MessageReader();
    const found = [];
    for (let at = 0; at < TEXT.length; at += size) {
      found.push(...reader.take(TEXT.slice(at, at + size)));
    }
    expect(found).toEqual(whole);
  }
});
