import { button, element } from "./element";
import { locale, t } from "./language";
import { type Message, senderAndText } from "./message";

const TINTS = 6;
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const DAY = { weekday: "long", day: "numeric", month: "long" } as const;
const calendar = new Intl.DateTimeFormat(locale, DAY);
const calendarOfOtherYears = new Intl.DateTimeFormat(locale, { ...DAY, year: "numeric" });

/** What can be done with one's own message. */
export interface Actions {
  edit(message: Message): void;
  delete(message: Message): void;
}

/** How one message looks. Whatever people wrote is only ever set as text. */
export class Bubble {
  readonly element = element("li", "message");
  private readonly avatar = element("span", "avatar");
  private readonly sender = element("span", "sender");
  private readonly time = element("time", "time");
  private readonly edited = element("span", "edited", t("edited"));
  private readonly text = element("p", "text");
  private readonly status = element("p", "status");
  private readonly actions = element("div", "actions");
  private readonly buttons: HTMLButtonElement[] = [];
  private readonly unread = element("p", "unread", t("New"));
  private author = 0;
  private sent = new Date();
  private message: Message | undefined;

  constructor(own: boolean, actions?: Actions) {
    this.element.classList.toggle("own", own);
    this.avatar.setAttribute("aria-hidden", "true");
    this.text.dir = "auto";
    this.sender.dir = "auto";
    this.status.hidden = true;
    this.edited.hidden = true;
    this.actions.hidden = true;

    const head = element("header", "head", this.sender, " ", this.time);
    const body = element("article", "body", head, this.text, this.edited, this.status);
    if (own && actions) {
      const act = (action: (message: Message) => void) => () => this.message && action(this.message);
      this.buttons.push(
        button(t("Edit"), "link", act(actions.edit)),
        button(t("Delete"), "link", act(actions.delete)),
      );
      this.actions.append(...this.buttons);
      body.append(this.actions);
    }
    this.element.append(this.avatar, body);
  }

  static of(message: Message, own: boolean, actions: Actions): Bubble {
    const bubble = new Bubble(own, actions);
    bubble.show(message);
    return bubble;
  }

  show(message: Message) {
    const [sender, text] = senderAndText(message);
    this.message = message;
    this.author = message.author;
    this.sent = new Date(message.time);
    this.avatar.textContent = (Array.from(sender)[0] ?? "?").toUpperCase();
    this.avatar.classList.add(`tint-${message.author % TINTS}`);
    this.sender.textContent = sender;
    this.text.textContent = message.deleted ? t("This message was deleted.") : text;
    this.text.classList.toggle("deleted", message.deleted !== undefined);
    this.edited.hidden = message.edited === undefined || message.deleted !== undefined;
    // What is still on its way has no number, by which it could be changed.
    this.actions.hidden = message.seq === 0 || message.deleted !== undefined;
    // All of them are called the same.
    this.text.id = message.seq === 0 ? "" : `text-${message.seq}`;
    for (const action of this.buttons) action.setAttribute("aria-describedby", this.text.id);
    this.time.dateTime = message.time;
    this.time.textContent = clock.format(this.sent);
    this.time.title = this.sent.toLocaleString(locale);
  }

  /** The message, unless it is still on its way or was deleted. */
  get editable(): Message | undefined {
    return this.message?.seq && !this.message.deleted ? this.message : undefined;
  }

  /** Below the text; nothing when the message is where it belongs. */
  showStatus(kind: "sending" | "failed" | "sent", text = "", ...actions: HTMLButtonElement[]) {
    this.element.dataset.status = kind;
    this.status.hidden = kind === "sent";
    this.status.replaceChildren(text, ...actions);
  }

  /** The first that had not been read when the conversation was opened. */
  markUnread(isFirst: boolean) {
    if (isFirst) this.element.prepend(this.unread);
    else this.unread.remove();
  }

  /** A run of one sender has one head, and each day its heading. */
  placeAfter(previous: Bubble | undefined) {
    const sameDay = previous?.sent.toDateString() === this.sent.toDateString();
    const soon = previous !== undefined && this.sent.getTime() - previous.sent.getTime() < 5 * 60_000;
    const isFirstUnread = this.unread.isConnected;
    const continues = sameDay && soon && previous.author === this.author && !isFirstUnread;
    this.element.classList.toggle("continues", continues);
    if (sameDay) delete this.element.dataset.day;
    else this.element.dataset.day = this.day;
  }

  private get day() {
    const isThisYear = this.sent.getFullYear() === new Date().getFullYear();
    return (isThisYear ? calendar : calendarOfOtherYears).format(this.sent);
  }
}
