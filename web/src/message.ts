/** A message as the server tells it, over the socket and over REST alike. */
export interface Message {
  /** `sender: text`, as every client since the first has had it. */
  message: string;
  conversation: number;
  /** Grows with every message; the order of the conversation. */
  seq: number;
  author: number;
  /** RFC 3339, UTC, as are the following. */
  time: string;
  /** When its text was last changed. */
  edited?: string;
  /** When it was taken back; its text is gone. */
  deleted?: string;
}

/** An e-mail address cannot contain `": "`, so the first one ends the sender. */
export function senderAndText({ message }: Message): [sender: string, text: string] {
  const end = message.indexOf(": ");
  return end < 0 ? ["", message] : [message.slice(0, end), message.slice(end + 2)];
}

export function isTooLong(text: string, maxBytes: number): boolean {
  return new TextEncoder().encode(text).length > maxBytes;
}
