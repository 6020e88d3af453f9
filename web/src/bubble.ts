import { type Message, senderAndText } from "./message";

const TINTS = 6;
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

/** How one message looks. Whatever people wrote is only ever set as text. */
export class Bubble {
  readonly element = element("li", "message");
  private readonly avatar = element("span", "avatar");
  private readonly sender = element("span", "sender");
  private readonly time = element("time", "time");
  private readonly text = element("p", "text");
  private readonly status = element("p", "status");
  private author = 0;
  private sent = new Date();

  constructor(own: boolean) {
    this.element.classList.toggle("own", own);
    this.avatar.setAttribute("aria-hidden", "true");
    this.text.dir = "auto";
    this.sender.dir = "auto";
    this.status.hidden = true;

    const head = element("header", "head");
    head.append(this.sender, " ", this.time);
    const body = element("article", "body");
    body.append(head, this.text, this.status);
    this.element.append(this.avatar, body);
  }

  static of(message: Message, own: boolean): Bubble {
    const bubble = new Bubble(own);
    bubble.show(message);
    return bubble;
  }

  show(message: Message) {
    const [sender, text] = senderAndText(message);
    this.author = message.author;
    this.sent = new Date(message.time);
    this.avatar.textContent = (Array.from(sender)[0] ?? "?").toUpperCase();
    this.avatar.classList.add(`tint-${message.author % TINTS}`);
    this.sender.textContent = sender;
    this.text.textContent = text;
    this.time.dateTime = message.time;
    this.time.textContent = clock.format(this.sent);
    this.time.title = this.sent.toLocaleString();
  }

  /** Below the text; nothing when the message is where it belongs. */
  showStatus(kind: "sending" | "failed" | "sent", text = "", ...actions: HTMLButtonElement[]) {
    this.element.dataset.status = kind;
    this.status.hidden = kind === "sent";
    this.status.replaceChildren(text, ...actions);
  }

  /** A run of one sender has one head, and each day its heading. */
  placeAfter(previous: Bubble | undefined) {
    const sameDay = previous?.sent.toDateString() === this.sent.toDateString();
    const soon = previous !== undefined && this.sent.getTime() - previous.sent.getTime() < 5 * 60_000;
    this.element.classList.toggle("continues", sameDay && soon && previous.author === this.author);
    if (sameDay) delete this.element.dataset.day;
    else this.element.dataset.day = calendar.format(this.sent);
  }
}

function element<Tag extends keyof HTMLElementTagNameMap>(tag: Tag, className: string): HTMLElementTagNameMap[Tag] {
  const created = document.createElement(tag);
  created.className = className;
  return created;
}
