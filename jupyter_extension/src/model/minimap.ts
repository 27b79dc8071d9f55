/** The measures of the minimap. */

export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface Frame extends Size {
  readonly x: number;
  readonly y: number;
}

/** The room that a minimap takes at most, in pixels. */
export const SIZE: Size = { width: 180, height: 120 };
const LEAST = 12; // pixels of a side, of a graph that is very long

/** The size of the map of a drawing: as large as it gets in the room, in the proportions of the drawing. */
export function sizeOfMap(drawn: Size): Size {
  const scale = Math.min(SIZE.width / drawn.width, SIZE.height / drawn.height);
  return {
    width: Math.max(LEAST, Math.round(drawn.width * scale)),
    height: Math.max(LEAST, Math.round(drawn.height * scale))
  };
}

/** Where on the map the part is that is in sight: all of the map where the drawing is no larger. */
export function frameOf(
  seen: Size & { readonly left: number; readonly top: number },
  drawn: Size,
  map: Size
): Frame {
  const across = span(seen.left, seen.width, drawn.width, map.width);
  const down = span(seen.top, seen.height, drawn.height, map.height);
  return { x: across.from, y: down.from, width: across.size, height: down.size };
}

function span(from: number, seen: number, drawn: number, map: number): { from: number; size: number } {
  const size = Math.min(map, (seen / drawn) * map);
  return { from: Math.max(0, Math.min(map - size, (from / drawn) * map)), size };
}
