import { find } from "./element";
import type { Message } from "./message";
import { senderAndText } from "./message";
import { Stored } from "./stored";

/** How often others are told that somebody writes, at most. */
const TYPING_INTERVAL = 2_000;

interface Listener {
  /** Whether the text is taken. */
  send(text: string): boolean;
  /** Whether the message has this text now. */
  edit(message: Message, text: string): Promise<boolean>;
  /** A message was emptied. */
  delete(message: Message): void;
  /** The message that ↑ edits. */
  lastEditable(): Message | undefined;
  types(): void;
}

/**
 * The text field: Enter sends, Shift+Enter breaks the line, ↑ edits the last message, Esc gives that up; it grows with its
 * text. What is written stays, conversation by conversation, even when the page is left.
 */
export class Composer {
  private draft: Stored<string> | undefined;
  private edited: Message | undefined;
  private typedAt = 0;

  constructor(
    private readonly form: HTMLFormElement,
    private readonly field: HTMLTextAreaElement,
    private readonly banner: HTMLElement,
    cancel: HTMLButtonElement,
    private readonly listener: Listener,
  ) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    field.addEventListener("input", () => this.changed());
    field.addEventListener("keydown", (event) => this.pressed(event));
    cancel.addEventListener("click", () => this.cancel());
    // Others may have written in another tab.
    addEventListener("storage", () => this.edited || this.isWrittenIn || this.restore());
  }

  /** Another conversation is on the page. */
  show(draftKey: string, visible: boolean) {
    this.edited = undefined;
    this.banner.hidden = true;
    this.draft = new Stored(draftKey, "");
    this.restore();
    this.form.hidden = !visible;
    if (visible) this.focus();
  }

  startEditing(message: Message) {
    this.edited = message;
    this.banner.hidden = false;
    this.set(senderAndText(message)[1]);
    this.focus();
  }

  focus() {
    // On a phone the keyboard would hide half of what is to be read.
    if (matchMedia("(hover: hover)").matches) this.field.focus();
    else find("scroller").focus();
  }

  private get isWrittenIn() {
    return document.activeElement === this.field && document.hasFocus();
  }

  private submit() {
    const text = this.field.value;
    const { edited } = this;
    if (text.trim() === "") {
      if (edited) this.empty(edited);
      return;
    }
    if (edited) {
      this.cancel();
      if (text !== senderAndText(edited)[1]) void this.edit(edited, text);
    } else if (this.listener.send(text)) {
      this.draft?.remove();
      this.set("");
    }
    this.field.focus();
  }

  private empty(message: Message) {
    this.cancel();
    this.listener.delete(message);
  }

  /** A text that is not taken is given back. */
  private async edit(message: Message, text: string) {
    const { draft } = this;
    if (await this.listener.edit(message, text)) return;
    if (draft === this.draft && !this.edited) {
      this.startEditing(message);
      this.set(text);
    } else if (draft?.get() === "") {
      draft.set(text);
    }
  }

  private pressed(event: KeyboardEvent) {
    // While an input method composes, Enter chooses a candidate.
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.form.requestSubmit();
    } else if (event.key === "Escape" && this.edited) {
      this.cancel();
    } else if (event.key === "ArrowUp" && this.field.value === "") {
      const message = this.listener.lastEditable();
      if (!message) return;
      event.preventDefault();
      this.startEditing(message);
    }
  }

  private changed() {
    this.fit();
    if (this.edited) return;
    if (this.field.value === "") this.draft?.remove();
    else this.draft?.set(this.field.value);
    if (this.field.value !== "" && Date.now() - this.typedAt > TYPING_INTERVAL) {
      this.typedAt = Date.now();
      this.listener.types();
    }
  }

  private cancel() {
    this.edited = undefined;
    this.banner.hidden = true;
    this.restore();
    this.field.focus();
  }

  private restore() {
    this.set(this.draft?.get() ?? "");
  }

  private set(text: string) {
    this.field.value = text;
    this.fit();
  }

  private fit() {
    this.field.style.height = "auto";
    this.field.style.height = `${this.field.scrollHeight}px`;
  }
}
