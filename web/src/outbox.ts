import { Bubble } from "./bubble";
import type { Ack, Connection } from "./connection";
import type { History } from "./history";
import { type Message, senderAndText } from "./message";
import type { Timeline } from "./timeline";

interface Draft {
  text: string;
  /** The server takes a message only once, however often it is sent under the same offset. */
  clientOffset: string;
  bubble: Bubble;
  state: "waiting" | "sending" | "unanswered" | "refused";
  /** Seen on the page as this message, though not yet acknowledged. */
  heardAs?: number;
}

/** What the user has sent and the server has not yet acknowledged, in order. */
export class Outbox {
  private readonly drafts = new Set<Draft>();

  constructor(
    private readonly connection: Connection,
    private readonly timeline: Timeline,
    private readonly history: History,
    private readonly user: { id: number; email: string; maxBytes: number },
  ) {}

  async send(text: string) {
    const bubble = Bubble.of(this.messageOf(text), true);
    const draft: Draft = { text, clientOffset: uniqueId(), bubble, state: "waiting" };
    this.drafts.add(draft);
    this.timeline.addPending(bubble);
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
    if (message.author !== this.user.id || this.timeline.has(message.seq)) return;
    const [, text] = senderAndText(message);
    const draft = [...this.drafts].find((draft) => draft.text === text && draft.heardAs === undefined);
    if (!draft) return;
    draft.heardAs = message.seq;
    this.settle(draft, message);
  }

  private async deliver(draft: Draft) {
    // The server breaks the connection over a packet that is larger still, and it would be sent again after that.
    if (new TextEncoder().encode(draft.text).length > this.user.maxBytes) {
      return this.mark(draft, "refused", "The message is too long.");
    }
    if (!this.connection.isReady) return this.mark(draft, "waiting");
    this.mark(draft, "sending");
    let ack: Ack;
    try {
      ack = await this.connection.say(draft.text, draft.clientOffset);
    } catch {
      if (!this.connection.isReady) this.mark(draft, "waiting");
      else if (draft.heardAs !== undefined) this.drafts.delete(draft);
      else this.mark(draft, "unanswered", "The server did not answer.");
      return;
    }
    if (!ack.ok) return this.mark(draft, "refused", ack.error.message);
    this.drafts.delete(draft);
    if (draft.heardAs === undefined) this.settle(draft, { ...this.messageOf(draft.text), seq: ack.seq });
  }

  private settle(draft: Draft, message: Message) {
    draft.bubble.show(message);
    draft.bubble.showStatus("sent");
    this.history.settle(draft.bubble, message.seq);
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
      this.drafts.delete(draft);
      this.timeline.removePending(draft.bubble);
    };
    return [button("Retry", () => this.deliver(draft)), button("Discard", discard)];
  }

  private messageOf(text: string): Message {
    const time = new Date().toISOString();
    return { message: `${this.user.email}: ${text}`, conversation: 0, seq: 0, author: this.user.id, time };
  }
}

function button(label: string, action: () => void): HTMLButtonElement {
  const created = document.createElement("button");
  created.type = "button";
  created.className = "link";
  created.textContent = label;
  created.addEventListener("click", action);
  return created;
}

/** randomUUID exists in secure contexts only, and Natter may be visited over plain HTTP. */
function uniqueId(): string {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
