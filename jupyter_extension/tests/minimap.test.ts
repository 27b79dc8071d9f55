import { expect, test } from 'vitest';

import { frameOf, SIZE, sizeOfMap } from '../src/model/minimap';

test.each([
  [
    { width: 3600, height: 1200 },
    { width: 180, height: 60 }
  ],
  [
    { width: 600, height: 2400 },
    { width: 30, height: 120 }
  ],
  [
    { width: 90_000, height: 100 },
    { width: 180, height: 12 }
  ]
])('the map of a drawing of %j takes %j', (drawn, map) => {
  expect(sizeOfMap(drawn)).toEqual(map);
  expect(map.width <= SIZE.width && map.height <= SIZE.height).toBe(true);
});

test('the frame is where the part in sight is', () => {
  const [drawn, map] = [
    { width: 3600, height: 1200 },
    { width: 180, height: 60 }
  ];
  const seen = { left: 900, top: 0, width: 900, height: 1500 };
  expect(frameOf(seen, drawn, map)).toEqual({ x: 45, y: 0, width: 45, height: 60 });
  expect(frameOf({ ...seen, left: 9000 }, drawn, map).x).toBe(135);
});
