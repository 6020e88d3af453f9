import { Bubble } from "./bubble";
import type { Answer, Connection } from "./connection";
import { button } from "./element";
import type { History } from "./history";
import { type Message, senderAndText } from "./message";
import { Stored } from "./stored";
import type { Timeline } from "./timeline";

/** A message that the server has not acknowledged. */
interface Unsent {
  conversation: number;
  text: string;
  /** The server takes a message only once, however often it is sent under the same offset. */
  clientOffset: string;
  time: string;
}

interface Draft extends Unsent {
  bubble: Bubble;
  state: "waiting" | "sending" | "unanswered" | "refused";
  /** Seen on the page as this message, though not yet acknowledged. */
  heardAs?: number;
}

/** What the user has sent and the server has not yet acknowledged, in order. It outlives the page. */
export class Outbox {
  private readonly drafts = new Set<Draft>();
  private open = 0;

  constructor(
    private readonly connection: Connection,
    private readonly timeline: Timeline,
    private readonly history: History,
    private readonly user: { id: number; email: string; maxBytes: number },
  ) {
    const unsent = Stored.all<Unsent>(this.key("")).sort((one, other) => one.time.localeCompare(other.time));
    for (const message of unsent) this.drafts.add(this.draftOf(message));
  }

  /** Another conversation is on the page. */
  show(conversation: number) {
    this.open = conversation;
    for (const draft of this.drafts) if (draft.conversation === conversation) this.timeline.addPending(draft.bubble);
  }

  async send(text: string) {
    const time = new Date().toISOString();
    const draft = this.draftOf({ conversation: this.open, text, clientOffset: uniqueId(), time });
    this.drafts.add(draft);
    this.stored(draft).set({ conversation: this.open, text, clientOffset: draft.clientOffset, time });
    this.timeline.addPending(draft.bubble);
    void this.deliver(draft);
    await this.history.toEnd();
  }

  /** After each authentication: what the last connection may have lost. */
  flush() {
    for (const draft of this.drafts) {
      if (draft.state === "waiting" || draft.state === "unanswered") void this.deliver(draft);
    }
  }

  /** One's own message often comes back before its acknowledgement: then that is what stands on the page already. */
  heard(message: Message) {
    if (message.author !== this.user.id) return;
    if (message.conversation === this.open && this.timeline.has(message.seq)) return;
    const [, text] = senderAndText(message);
    const isIt = (draft: Draft) =>
      draft.conversation === message.conversation && draft.text === text && draft.heardAs === undefined;
    const draft = [...this.drafts].find(isIt);
    if (!draft) return;
    draft.heardAs = message.seq;
    this.settle(draft, message);
  }

  private draftOf(unsent: Unsent): Draft {
    const bubble = new Bubble(true);
    bubble.show(this.messageOf(unsent));
    const draft: Draft = { ...unsent, bubble, state: "waiting" };
    this.mark(draft, "waiting");
    return draft;
  }

  private async deliver(draft: Draft) {
    // The server breaks the connection over a packet that is larger still, and it would be sent again after that.
    if (new TextEncoder().encode(draft.text).length > this.user.maxBytes) {
      return this.mark(draft, "refused", "The message is too long.");
    }
    if (!this.connection.isReady) return this.mark(draft, "waiting");
    this.mark(draft, "sending");
    let ack: Answer<{ seq: number }>;
    try {
      ack = await this.connection.say(draft.conversation, draft.text, draft.clientOffset);
    } catch {
      if (!this.connection.isReady) this.mark(draft, "waiting");
      else if (draft.heardAs !== undefined) this.remove(draft);
      else this.mark(draft, "unanswered", "The server did not answer.");
      return;
    }
    if (!ack.ok) return this.mark(draft, "refused", ack.error.message);
    this.remove(draft);
    if (draft.heardAs === undefined) this.settle(draft, { ...this.messageOf(draft), seq: ack.seq });
  }

  private settle(draft: Draft, message: Message) {
    if (draft.conversation !== this.open) return;
    // What can be done with a message stands on a bubble of its own.
    this.timeline.removePending(draft.bubble);
    this.history.settle(message);
  }

  private mark(draft: Draft, state: Draft["state"], reason = "") {
    draft.state = state;
    if (draft.heardAs !== undefined) return;
    if (state === "sending") draft.bubble.showStatus("sending", "Sending…");
    else if (state === "waiting") draft.bubble.showStatus("sending", "Waiting for the connection…");
    else draft.bubble.showStatus("failed", `Not sent. ${reason}`, ...this.remedies(draft));
  }

  private remedies(draft: Draft) {
    const discard = () => {
      this.remove(draft);
      this.timeline.removePending(draft.bubble);
    };
    return [button("Retry", "link", () => this.deliver(draft)), button("Discard", "link", discard)];
  }

  private remove(draft: Draft) {
    this.drafts.delete(draft);
    this.stored(draft).remove();
  }

  /** Each on its own, as other tabs store theirs. */
  private stored({ clientOffset }: Unsent) {
    return new Stored<Unsent | null>(this.key(clientOffset), null);
  }

  private key(clientOffset: string) {
    return `outbox:${this.user.id}:${clientOffset}`;
  }

  private messageOf({ conversation, text, time }: Unsent): Message {
    return { message: `${this.user.email}: ${text}`, conversation, seq: 0, author: this.user.id, time };
  }
}

/** randomUUID exists in secure contexts only, and Natter may be visited over plain HTTP. */
function uniqueId(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
