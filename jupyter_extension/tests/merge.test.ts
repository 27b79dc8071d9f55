import { describe, expect, it } from 'vitest';

import { merge } from '../src/model/merge';

const BASE = 'a\nb\nc\nd\n';

describe('merging two edits of a text', () => {
  it('takes both where they are apart', () => {
    expect(merge(BASE, '# new\na\nb\nc\nd\n', 'a\nb\nc\nd\ne\n')).toBe('# new\na\nb\nc\nd\ne\n');
    expect(merge(BASE, 'a\nb\nc\nd\ne\n', 'A\nb\nc\nd\n')).toBe('A\nb\nc\nd\ne\n');
    expect(merge(BASE, 'a\nc\nd\n', 'a\nb\nc\nD\n')).toBe('a\nc\nD\n');
  });

  it('takes the one that differs', () => {
    expect(merge(BASE, BASE, 'x')).toBe('x');
    expect(merge(BASE, 'x', BASE)).toBe('x');
    expect(merge(BASE, 'x', 'x')).toBe('x');
  });

  it('is none where both changed the same lines, or put something at the same place', () => {
    expect(merge(BASE, 'a\nB\nc\nd\n', 'a\nX\nc\nd\n')).toBeNull();
    expect(merge(BASE, 'a\nb\nc\nd\ne\n', 'a\nb\nc\nd\nf\n')).toBeNull();
    expect(merge(BASE, '', 'a\nb\nc\nd\nf\n')).toBeNull();
  });
});
