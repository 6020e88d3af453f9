import { type Actions, Bubble } from "./bubble";
import type { Message } from "./message";

/** So many messages are on the page; others are a scroll away. */
export const CAPACITY = 500;
const NEAR = 48;

/**
 * The messages on the page: one unbroken stretch of the conversation in order of seq, and behind it what is still
 * being sent.
 */
export class Timeline {
  /** Whether the view stays at the newest message as messages come in. */
  following = true;
  private readonly shown = new Map<number, Bubble>();
  /** The keys of `shown`, ascending. */
  private seqs: number[] = [];
  private readonly pending = new Set<Bubble>();
  /** The last message that had been read when the conversation was opened, if there were newer ones. */
  private readUntil: number | undefined;

  constructor(
    private readonly scroller: HTMLElement,
    private readonly list: HTMLElement,
    private readonly userId: number,
    private readonly actions: Actions,
  ) {
    // The composer grows, a phone's keyboard opens, a message fails: the end stays in sight.
    const observer = new ResizeObserver(() => this.following && this.scrollToEnd());
    observer.observe(scroller);
    observer.observe(list);
  }

  get oldest() {
    return this.seqs[0];
  }

  get newest() {
    return this.seqs[this.seqs.length - 1];
  }

  get atStart() {
    return this.scroller.scrollTop < NEAR;
  }

  get atEnd() {
    return this.scroller.scrollHeight - this.scroller.scrollTop - this.scroller.clientHeight < NEAR;
  }

  has(seq: number) {
    return this.shown.has(seq);
  }

  /** Makes room for another conversation, which has been read up to a message, or all of it. */
  clear(readUntil: number | undefined) {
    this.list.replaceChildren();
    this.shown.clear();
    this.seqs = [];
    this.pending.clear();
    this.readUntil = readUntil;
    this.following = true;
  }

  replaceAll(messages: Message[]) {
    for (const bubble of this.shown.values()) bubble.element.remove();
    this.shown.clear();
    this.seqs = [];
    this.add(messages, "oldest");
    this.follow();
  }

  /** Makes room at the end the reader is not at; returns whether that dropped anything. */
  add(messages: Message[], drop: "oldest" | "newest"): boolean {
    return this.keepingPlace(() => {
      for (const message of messages) this.insert(message.seq, this.bubbleOf(message));
      return this.dropExcess(drop);
    });
  }

  /** Messages that are on the page may have changed. */
  update(messages: Message[]) {
    this.keepingPlace(() => {
      for (const message of messages) this.shown.get(message.seq)?.show(message);
    });
  }

  /** The newest of one's own messages that can be changed. */
  lastEditable(): Message | undefined {
    for (const seq of [...this.seqs].reverse()) {
      const bubble = this.shown.get(seq)!;
      if (bubble.element.classList.contains("own") && bubble.editable) return bubble.editable;
    }
    return undefined;
  }

  addPending(bubble: Bubble) {
    this.pending.add(bubble);
    this.list.append(bubble.element);
    bubble.placeAfter(this.lastBubble());
    this.follow();
  }

  removePending(bubble: Bubble) {
    this.pending.delete(bubble);
    bubble.element.remove();
  }

  follow() {
    this.following = true;
    this.scrollToEnd();
  }

  private bubbleOf(message: Message) {
    return Bubble.of(message, message.author === this.userId, this.actions);
  }

  private insert(seq: number, bubble: Bubble) {
    if (this.has(seq)) return;
    bubble.markUnread(seq - 1 === this.readUntil);
    let at = this.seqs.length;
    while (at > 0 && this.seqs[at - 1]! > seq) at--;
    const next = this.bubbleAt(at);
    this.seqs.splice(at, 0, seq);
    this.shown.set(seq, bubble);
    this.list.insertBefore(bubble.element, next?.element ?? this.firstPending());
    bubble.placeAfter(this.bubbleAt(at - 1));
    next?.placeAfter(bubble);
  }

  private dropExcess(drop: "oldest" | "newest"): boolean {
    const excess = this.seqs.length - CAPACITY;
    if (excess <= 0) return false;
    for (const seq of drop === "oldest" ? this.seqs.splice(0, excess) : this.seqs.splice(CAPACITY)) {
      this.shown.get(seq)!.element.remove();
      this.shown.delete(seq);
    }
    this.bubbleAt(0)?.placeAfter(undefined);
    return true;
  }

  private bubbleAt(index: number): Bubble | undefined {
    const seq = this.seqs[index];
    return seq === undefined ? undefined : this.shown.get(seq);
  }

  private lastBubble() {
    return this.bubbleAt(this.seqs.length - 1);
  }

  private firstPending(): Node | null {
    const [first] = this.pending;
    return first?.element ?? null;
  }

  /**
   * What is being read stays where it is; at the end, the end stays in sight. Measured at the bottom of a message, for
   * its top may lose the heading of a day.
   */
  private keepingPlace<T>(change: () => T): T {
    const anchor = this.following ? undefined : this.firstVisible();
    const bottom = anchor?.getBoundingClientRect().bottom ?? 0;
    const result = change();
    if (this.following) this.scrollToEnd();
    else if (anchor?.isConnected) this.scroller.scrollTop += anchor.getBoundingClientRect().bottom - bottom;
    return result;
  }

  private firstVisible(): Element | undefined {
    const top = this.scroller.getBoundingClientRect().top;
    return Array.from(this.list.children).find((child) => child.getBoundingClientRect().bottom > top);
  }

  private scrollToEnd() {
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}
