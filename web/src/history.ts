import { fetchPage } from "./api";
import type { Gap } from "./connection";
import { t } from "./language";
import type { Message } from "./message";
import { CAPACITY, type Timeline } from "./timeline";

/** A longer absence is not caught up page by page: the newest page is shown, the rest is above it. */
const WORTH_CATCHING_UP = 500;

/**
 * Moves the timeline along a conversation.
 *
 * A live message that would leave a hole in the timeline is only counted as heard, and fetched when the reader gets
 * there. That one rule covers a gap after an absence as well as a reader far up in old messages.
 */
export class History {
  private conversation = 0;
  /** The newest seq known of, whether on the page or not. */
  private heard = 0;
  private hasEarlier = false;
  private hasUnseen = false;
  private loading = false;
  /** Loading waits for a click or the next connection, lest every move of the wheel repeats a failing request. */
  private failed = false;

  constructor(
    private readonly timeline: Timeline,
    private readonly earlierButton: HTMLButtonElement,
    private readonly newButton: HTMLButtonElement,
    private readonly scroller: HTMLElement,
    /** The reader has everything up to here in sight. */
    private readonly seen: (conversation: number, seq: number) => void,
  ) {
    scroller.addEventListener("scroll", () => this.look(), { passive: true });
    earlierButton.addEventListener("click", () => this.earlier());
    newButton.addEventListener("click", () => this.toEnd());
    addEventListener("focus", () => this.look());
    document.addEventListener("visibilitychange", () => this.look());
  }

  /** Shows another conversation, which is known up to `heard` and has been read up to `readUntil`. */
  async open(conversation: number, heard: number, readUntil: number) {
    this.conversation = conversation;
    this.heard = heard;
    this.hasEarlier = this.hasUnseen = this.loading = this.failed = false;
    this.timeline.clear(readUntil < heard ? readUntil : undefined);
    this.scroller.classList.remove("is-empty");
    await this.load(() => this.latest());
  }

  receive(message: Message) {
    const leavesHole = this.isBehind && message.seq > this.newest;
    const isDroppedBefore = this.hasEarlier && message.seq < (this.timeline.oldest ?? 0);
    this.hear([message]);
    if (!leavesHole && !isDroppedBefore) this.add([message], this.timeline.following ? "oldest" : "newest");
    if (!this.timeline.following) this.hasUnseen = true;
    this.showButtons();
    this.note();
  }

  /** A sent message has got its place. */
  settle(message: Message) {
    // It is not heard yet: others that came before it may still be on their way.
    if (this.isBehind && message.seq > this.newest) return;
    this.add([message], this.timeline.following ? "oldest" : "newest");
    this.note();
  }

  missed({ after, next }: Gap) {
    this.heard = Math.max(this.heard, next - 1);
    if (this.timeline.following && next - after > WORTH_CATCHING_UP) void this.toEnd();
    else this.look();
  }

  /** Connected again: what is on the page may have changed meanwhile, or never have been loaded. */
  async resume() {
    this.failed = false;
    const { oldest } = this.timeline;
    if (oldest === undefined) return this.load(() => this.latest());
    const { conversation } = this;
    try {
      // Pages of long messages hold fewer of them.
      for (let after = oldest - 1; conversation === this.conversation && after < this.newest; ) {
        const { results } = await fetchPage(conversation, { after }, CAPACITY);
        if (conversation !== this.conversation || results.length === 0) break;
        this.timeline.update(results);
        after = Math.max(...results.map(({ seq }) => seq));
      }
    } catch {
      // The next connection tries again.
    }
    this.look();
  }

  async toEnd() {
    if (this.isBehind) await this.load(() => this.latest());
    else this.timeline.follow();
    this.note();
  }

  private async latest() {
    const { conversation } = this;
    const page = await fetchPage(conversation);
    if (conversation !== this.conversation) return;
    this.hear(page.results);
    this.timeline.replaceAll(page.results);
    this.scroller.classList.toggle("is-empty", page.results.length === 0);
    this.hasEarlier = page.next !== null;
    this.showButtons();
    this.note();
  }

  private get newest() {
    return this.timeline.newest ?? 0;
  }

  private get isBehind() {
    return this.newest < this.heard;
  }

  private hear(messages: Message[]) {
    this.heard = Math.max(this.heard, ...messages.map((message) => message.seq));
  }

  private add(messages: Message[], drop: "oldest" | "newest") {
    if (this.timeline.add(messages, drop) && drop === "oldest") this.hasEarlier = true;
  }

  /** Acts on where the reader is: loads what lies beyond either end of the timeline. */
  private look() {
    if (!this.timeline.atEnd) this.timeline.following = false;
    else if (!this.isBehind) this.timeline.following = true;
    if (this.timeline.following && !this.isBehind) this.hasUnseen = false;
    this.showButtons();
    this.note();
    if (this.failed) return;
    if (this.timeline.atEnd && this.isBehind) void this.later();
    else if (this.timeline.atStart && this.hasEarlier) void this.earlier();
  }

  /** Whoever has the end of a conversation in front of them has read it. */
  private note() {
    const isInSight = document.visibilityState === "visible" && document.hasFocus();
    if (isInSight && this.timeline.following && !this.isBehind) this.seen(this.conversation, this.newest);
  }

  private earlier() {
    if (this.timeline.oldest === undefined) return this.load(() => this.latest());
    return this.load(async () => {
      const { conversation } = this;
      const page = await fetchPage(conversation, { before: this.timeline.oldest });
      if (conversation !== this.conversation) return;
      this.heard = Math.max(this.heard, this.newest);
      this.timeline.following = false;
      this.add(page.results, "newest");
      this.hasEarlier = page.next !== null;
    });
  }

  private later() {
    return this.load(async () => {
      const { conversation } = this;
      const { results } = await fetchPage(conversation, { after: this.newest });
      if (conversation !== this.conversation) return;
      this.hear(results);
      if (results.length === 0) this.heard = this.newest;
      this.add(results, "oldest");
    });
  }

  /** One at a time in a conversation. */
  private async load(step: () => Promise<void>) {
    if (this.loading) return;
    const { conversation } = this;
    this.loading = true;
    this.failed = false;
    this.earlierButton.textContent = t("Loading…");
    // Old messages are not read out as if they had just come.
    this.scroller.setAttribute("aria-busy", "true");
    try {
      await step();
    } catch {
      if (conversation !== this.conversation) return;
      this.loading = false;
      this.failed = true;
      this.earlierButton.textContent = t("That did not load. Try again");
      this.scroller.removeAttribute("aria-busy");
      this.showButtons();
      return;
    }
    if (conversation !== this.conversation) return;
    this.loading = false;
    this.scroller.removeAttribute("aria-busy");
    this.earlierButton.textContent = t("Earlier messages");
    this.look();
  }

  private showButtons() {
    this.earlierButton.hidden = !this.hasEarlier && !this.failed;
    this.newButton.hidden = this.timeline.following || !(this.hasUnseen || this.isBehind);
    this.keepFocus();
  }

  /** A button that goes leaves whoever was on it among the messages. */
  private keepFocus() {
    const { activeElement } = document;
    if (activeElement instanceof HTMLElement && activeElement.hidden) this.scroller.focus();
  }
}
