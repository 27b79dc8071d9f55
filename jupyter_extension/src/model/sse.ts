/** Server-sent events, read from pieces of text of any size. */

export interface Message {
  /** The number of the event, to resume from. */
  readonly id: string;
  readonly event: string;
  readonly data: string;
}

export class MessageReader {
  /** The messages that this piece completes. */
  take(piece: string): Message[] {
    this._text += piece;
    const blocks = this._text.split('\n\n');
    this._text = blocks.pop() ?? '';
    return blocks.map(read).filter(message => message.data !== '');
  }

  private _text = '';
}

function read(block: string): Message {
  let id = '';
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const value = line.slice(colon + 1).replace(/^ /, '');
    switch (line.slice(0, colon)) {
      case 'id':
        id = value;
        break;
      case 'event':
        event = value;
        break;
      case 'data':
        data.push(value);
        break;
    }
  }
  return { id, event, data: data.join('\n') };
}
