import { Backoff } from "./backoff";
import { Bubble } from "./bubble";
import { type Answer, type Connection, isPassing, type Refusal } from "./connection";
import { button, find } from "./element";
import type { History } from "./history";
import { fromServer, t } from "./language";
import { isTooLong, type Message, senderAndText } from "./message";
import type { Rooms } from "./rooms";
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
  /** It has left this page, and the server may have it. */
  wasSent: boolean;
  /** Seen on the page as this message, though not yet acknowledged. */
  heardAs?: number;
}

interface Listener {
  /** Messages were refused whose conversation is no longer one of the user's: there is no place to show them at. */
  gaveBack(texts: string[]): void;
}

/** What the user has sent and the server has not yet acknowledged, in order. It outlives the page. */
export class Outbox {
  private readonly drafts = new Set<Draft>();
  private readonly backoff = new Backoff();
  private open = 0;

  constructor(
    private readonly connection: Connection,
    private readonly timeline: Timeline,
    private readonly history: History,
    private readonly rooms: Rooms,
    private readonly user: { id: number; email: string; maxBytes: number },
    private readonly listener: Listener,
  ) {
    const unsent = Stored.all<Unsent>(this.key("")).sort((one, other) => one.time.localeCompare(other.time));
    for (const message of unsent) this.drafts.add(this.draftOf(message));
  }

  /** Another conversation is on the page. */
  show(conversation: number) {
    this.open = conversation;
    for (const draft of this.drafts) {
      if (draft.conversation === conversation && draft.heardAs === undefined) this.timeline.addPending(draft.bubble);
    }
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
      draft.conversation === message.conversation &&
      draft.text === text &&
      draft.wasSent &&
      draft.state !== "refused" &&
      draft.heardAs === undefined;
    const draft = [...this.drafts].find(isIt);
    if (!draft) return;
    // It may be another device's of the same text: the acknowledgement decides.
    draft.heardAs = message.seq;
    this.settle(draft, message);
  }

  private draftOf(unsent: Unsent): Draft {
    const bubble = new Bubble(true);
    bubble.show(this.messageOf(unsent));
    const draft: Draft = { ...unsent, bubble, state: "waiting", wasSent: false };
    this.mark(draft, "waiting");
    return draft;
  }

  private async deliver(draft: Draft) {
    // The server breaks the connection over a packet that is larger still, and it would be sent again after that.
    if (isTooLong(draft.text, this.user.maxBytes)) {
      return this.mark(draft, "refused", t("The message is too long."));
    }
    if (!this.connection.isReady) return this.mark(draft, "waiting");
    this.mark(draft, "sending");
    draft.wasSent = true;
    let ack: Answer<{ seq: number }>;
    try {
      ack = await this.connection.say(draft.conversation, draft.text, draft.clientOffset);
    } catch {
      if (!this.connection.isReady) this.mark(draft, "waiting");
      else if (draft.heardAs !== undefined) this.remove(draft);
      else this.mark(draft, "unanswered", t("The server did not answer."));
      return;
    }
    if (!ack.ok) return this.refused(draft, ack);
    this.backoff.reset();
    this.remove(draft);
    if (draft.heardAs !== ack.seq) this.settle(draft, { ...this.messageOf(draft), seq: ack.seq });
  }

  private refused(draft: Draft, refusal: Refusal) {
    if (draft.heardAs !== undefined && draft.conversation === this.open) this.timeline.addPending(draft.bubble);
    delete draft.heardAs;
    if (isPassing(refusal)) {
      this.mark(draft, "waiting");
      setTimeout(() => draft.state === "waiting" && void this.deliver(draft), this.backoff.next());
    } else {
      this.mark(draft, "refused", fromServer(refusal.error.message));
      this.giveBack();
    }
  }

  /** Conversations may have gone. */
  giveBack() {
    const homeless = [...this.drafts].filter((draft) => draft.state === "refused" && !this.rooms.get(draft.conversation));
    for (const draft of homeless) this.remove(draft);
    if (homeless.length > 0) this.listener.gaveBack(homeless.map((draft) => draft.text));
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
    if (state === "sending") draft.bubble.showStatus("sending", t("Sending…"));
    else if (state === "waiting") draft.bubble.showStatus("sending", t("Waiting for the connection…"));
    else draft.bubble.showStatus("failed", t("Not sent. {reason}", { reason }), ...this.remedies(draft));
  }

  private remedies(draft: Draft) {
    const retry = () => {
      find("m").focus();
      void this.deliver(draft);
    };
    const discard = () => {
      find("m").focus();
      this.remove(draft);
      this.timeline.removePending(draft.bubble);
    };
    return [button(t("Retry"), "link", retry), button(t("Discard"), "link", discard)];
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
