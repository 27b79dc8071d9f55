/** The files that a stage reads and writes. */

export interface StageFile {
  /** The name by which the notebook has it. */
  readonly name: string;
  /** Its path in the project, or another place, such as a URL. */
  readonly path: string;
  /** Whether it is a path in the project. */
  readonly isInside: boolean;
}

/** The files of the inputs or outputs of a plan. An input may be a list of paths. */
export function filesOf(given: Readonly<Record<string, unknown>>): StageFile[] {
  return Object.entries(given).flatMap(([name, value]) => {
    const paths = (Array.isArray(value) ? value : [value]).filter(path => path !== null);
    return paths.map(path => {
      const text = String(path);
      return { name, path: text, isInside: !text.includes('://') && !text.startsWith('/') };
    });
  });
}
