/** A button that opens a small pane below it. */

import * as React from 'react';

/** Escape, and the focus or a click elsewhere, close the pane. */
export function Popup(props: {
  readonly label: string;
  readonly children: React.ReactNode;
}): React.JSX.Element {
  const [isOpen, setOpen] = React.useState(false);
  const button = React.useRef<HTMLButtonElement>(null);
  const whole = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    const close = (event: MouseEvent): void => {
      if (!whole.current?.contains(event.target as Node)) {
        setOpen(false);
      }
    };
    document.addEventListener('mousedown', close);
    return () => document.removeEventListener('mousedown', close);
  }, []);
  return (
    <div
      className="sb-Popup"
      ref={whole}
      onKeyDown={event => {
        if (event.key === 'Escape' && isOpen) {
          event.stopPropagation();
          setOpen(false);
          button.current?.focus();
        }
      }}
      onBlur={event => {
        if (event.relatedTarget !== null && !event.currentTarget.contains(event.relatedTarget)) {
          setOpen(false);
        }
      }}
    >
      <button
        ref={button}
        type="button"
        className="sb-Button"
        aria-expanded={isOpen}
        onClick={() => setOpen(!isOpen)}
      >
        {props.label} <span aria-hidden="true">▾</span>
      </button>
      {isOpen && (
        <div className="sb-PopupPane" role="group" aria-label={props.label}>
          {props.children}
        </div>
      )}
    </div>
  );
}
