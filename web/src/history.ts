import { fetchPage } from "./api";
import type { Bubble } from "./bubble";
import type { Gap } from "./connection";
import type { Message } from "./message";
import type { Timeline } from "./timeline";

/** A longer absence is not caught up page by page: the newest page is shown, the rest is above it. */
const WORTH_CATCHING_UP = 500;

/**
 * Moves the timeline along the conversation.
 *
 * A live message that would leave a hole in the timeline is only counted as heard, and fetched when the reader gets
 * there. That one rule covers a gap after an absence as well as a reader far up in old messages.
 */
export class History {
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
    scroller: HTMLElement,
  ) {
    scroller.addEventListener("scroll", () => this.look(), { passive: true });
    earlierButton.addEventListener("click", () => this.earlier());
    newButton.addEventListener("click", () => this.toEnd());
  }

  get offset() {
    return this.heard;
  }

  async latest() {
    const page = await fetchPage();
    this.hear(page.results);
    this.timeline.replaceAll(page.results);
    this.hasEarlier = page.next !== null;
    this.showButtons();
  }

  receive(message: Message) {
    const leavesHole = this.isBehind && message.seq > this.newest;
    const isDroppedBefore = this.hasEarlier && message.seq < (this.timeline.oldest ?? 0);
    this.hear([message]);
    if (!leavesHole && !isDroppedBefore) this.add([message], this.timeline.following ? "oldest" : "newest");
    if (!this.timeline.following) this.hasUnseen = true;
    this.showButtons();
  }

  /** A sent message has got its place. */
  settle(bubble: Bubble, seq: number) {
    if (this.isBehind && seq > this.newest) this.timeline.removePending(bubble);
    else this.timeline.settle(bubble, seq);
  }

  missed({ after, next }: Gap) {
    this.heard = Math.max(this.heard, next - 1);
    if (this.timeline.following && next - after > WORTH_CATCHING_UP) void this.toEnd();
    else this.look();
  }

  /** Connected again. */
  resume() {
    this.failed = false;
    this.look();
  }

  async toEnd() {
    if (this.isBehind) await this.load(() => this.latest());
    else this.timeline.follow();
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
    if (this.failed) return;
    if (this.timeline.atEnd && this.isBehind) void this.later();
    else if (this.timeline.atStart && this.hasEarlier) void this.earlier();
  }

  private earlier() {
    return this.load(async () => {
      const page = await fetchPage({ before: this.timeline.oldest });
      this.heard = Math.max(this.heard, this.newest);
      this.timeline.following = false;
      this.add(page.results, "newest");
      this.hasEarlier = page.next !== null;
    });
  }

  private later() {
    return this.load(async () => {
      const { results } = await fetchPage({ after: this.newest });
      this.hear(results);
      if (results.length === 0) this.heard = this.newest;
      this.add(results, "oldest");
    });
  }

  /** One at a time. */
  private async load(step: () => Promise<void>) {
    if (this.loading) return;
    this.loading = true;
    this.failed = false;
    this.earlierButton.textContent = "Loading…";
    try {
      await step();
      this.earlierButton.textContent = "Earlier messages";
    } catch {
      this.failed = true;
      this.earlierButton.textContent = "That did not load. Try again";
      return;
    } finally {
      this.loading = false;
    }
    this.look();
  }

  private showButtons() {
    this.earlierButton.hidden = !this.hasEarlier;
    this.newButton.hidden = this.timeline.following || !(this.hasUnseen || this.isBehind);
  }
}
