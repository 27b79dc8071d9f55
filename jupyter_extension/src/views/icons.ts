/** The icons of the views, which JupyterLab has none for. */

import { LabIcon } from '@jupyterlab/ui-components';

function icon(name: string, path: string): LabIcon {
  const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="${path}"/></svg>`;
  return new LabIcon({ name: `@stagebook/lab:${name}`, svgstr });
}

/** Squares in columns. */
export const gridIcon = icon(
  'grid',
  'M3 4h5v4H3zM9.5 4h5v4h-5zM16 4h5v4h-5zM3 10h5v4H3zM9.5 10h5v4h-5zM16 10h5v4h-5zM3 16h5v4H3zM9.5 16h5v4h-5zM16 16h5v4h-5z'
);

/** A calendar. */
export const scheduleIcon = icon(
  'schedule',
  'M7 2h2v2h6V2h2v2h2a2 2 0 0 1 2 2v13a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V6a2 2 0 0 1 2-2h2V2zM5 9v10h14V9H5zm2 2h4v4H7v-4z'
);

/** A sign of danger. */
export const incidentIcon = icon(
  'incident',
  'M12 2.5 22.5 21h-21L12 2.5zm0 4L4.9 19h14.2L12 6.5zM11 10.5h2v4h-2v-4zM11 16h2v2h-2v-2z'
);

/** Layers, one upon the other. */
export const environmentIcon = icon(
  'environment',
  'M12 2 22 8l-10 6L2 8l10-6zM4.4 11 12 15.6 19.6 11 22 12.5l-10 6-10-6L4.4 11zM4.4 15.5 12 20l7.6-4.5L22 17l-10 6-10-6 2.4-1.5z'
);

/** Bars of a chart. */
export const figureIcon = icon(
  'figure',
  'M4 20h16v2H2V3h2v17zM6 12h3v6H6v-6zM11 6h3v12h-3V6zM16 9h3v9h-3V9z'
);
