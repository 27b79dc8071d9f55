import { LabIcon } from '@jupyterlab/ui-components';

/** Three stages and the lines between them. */
export const stagebookIcon = new LabIcon({
  name: '@stagebook/lab:icon',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <g class="jp-icon3" fill="#616161">
    <path d="M3 4h7v5H3zM3 15h7v5H3zM15 9.5h6v5h-6z"/>
    <path d="M10 6h2.5a1 1 0 0 1 1 1v4.2H15v1.6h-1.5V17a1 1 0 0 1-1 1H10v-1.6h2V7.6h-2z"/>
  </g>
</svg>`
});
