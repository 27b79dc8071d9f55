/** Text that is cut to a width. SVG cuts none by itself. */

const MOST = 5_000; // texts that are remembered

const fitted = new Map<string, string>();
let context: CanvasRenderingContext2D | null = null;

/** The text as far as it fits into a width, in pixels, with an ellipsis where something is missing. */
export function fit(text: string, width: number, size: number, weight = 400): string {
  const family = getComputedStyle(document.body).getPropertyValue('--jp-ui-font-family');
  const key = `${width} ${size} ${weight} ${family} ${text}`;
  let found = fitted.get(key);
  if (found === undefined) {
    found = cut(text, width, `${weight} ${size}px ${family}`);
    if (fitted.size >= MOST) {
      fitted.clear();
    }
    fitted.set(key, found);
  }
  return found;
}

function cut(text: string, width: number, font: string): string {
  context ??= document.createElement('canvas').getContext('2d');
  if (context === null) {
    return text;
  }
  context.font = font;
  const letters = Array.from(text);
  if (context.measureText(text).width <= width) {
    return text;
  }
  let [fits, least] = [0, letters.length];
  while (least - fits > 1) {
    const middle = (fits + least) >> 1;
    if (context.measureText(`${letters.slice(0, middle).join('')}…`).width <= width) {
      fits = middle;
    } else {
      least = middle;
    }
  }
  return `${letters.slice(0, fits).join('').trimEnd()}…`;
}
