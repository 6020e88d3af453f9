import { type Conversation, EVERYONE, fetchConversations } from "./api";
import { element, Items } from "./element";
import { locale, t } from "./language";
import type { Message } from "./message";

/** How the page is known to stand with a conversation. */
interface Room extends Conversation {
  /** The newest seq heard of. */
  heard: number;
}

/** The conversations of the user, in the list at the side. */
export class Rooms {
  private readonly rooms = new Map<number, Room>();
  private readonly items: Items<number, Room>;
  private willRender = false;
  /** The one on the page. */
  current = EVERYONE;

  constructor(
    list: HTMLElement,
    private readonly badge: HTMLElement,
    private readonly userId: number,
    private readonly choose: (id: number) => void,
  ) {
    this.items = new Items(
      list,
      (id) => this.itemOf(id),
      (item, room) => this.update(item, room),
    );
  }

  async load() {
    const fetched = await fetchConversations();
    const known = new Map(this.rooms);
    this.rooms.clear();
    for (const conversation of fetched) {
      const before = known.get(conversation.id);
      // What is said between the two answers is heard, or sent at the next connection.
      const heard = before?.joined ? before.heard : conversation.last_seq;
      const read_seq = Math.max(before?.read_seq ?? 0, conversation.read_seq);
      const last_seq = Math.max(before?.last_seq ?? 0, conversation.last_seq);
      this.rooms.set(conversation.id, { ...conversation, name: titleOf(conversation), last_seq, read_seq, heard });
    }
    this.render();
  }

  get(id: number): Room | undefined {
    return this.rooms.get(id);
  }

  /** In the order of the list. */
  get all(): Room[] {
    const rank = ({ id, joined, kind }: Room) => (id === EVERYONE ? 0 : !joined ? 3 : kind === "direct" ? 2 : 1);
    const byName = (one: Room, other: Room) => rank(one) - rank(other) || one.name.localeCompare(other.name, locale);
    return [...this.rooms.values()].sort(byName);
  }

  /** For each conversation that is heard the seq up to which nothing is missing. */
  get offsets(): Record<number, number> {
    return Object.fromEntries([...this.rooms.values()].filter((room) => room.joined).map((room) => [room.id, room.heard]));
  }

  hear({ conversation, seq, author }: Message) {
    const room = this.rooms.get(conversation);
    if (!room || seq <= room.heard) return;
    // Who speaks has read what was said before.
    if (author === this.userId && room.read_seq === room.heard) room.read_seq = seq;
    room.heard = seq;
    room.last_seq = Math.max(room.last_seq, seq);
    this.render();
  }

  hearUpTo(conversation: number, seq: number) {
    const room = this.rooms.get(conversation);
    if (!room) return;
    room.heard = Math.max(room.heard, seq);
    room.last_seq = Math.max(room.last_seq, room.heard);
    this.render();
  }

  /** Whether that was news. */
  read(conversation: number, seq: number): boolean {
    const room = this.rooms.get(conversation);
    if (!room || seq <= room.read_seq) return false;
    room.read_seq = seq;
    this.render();
    return true;
  }

  show(id: number) {
    this.current = id;
    this.render();
  }

  private unread(room: Room) {
    return room.joined ? Math.max(0, room.last_seq - room.read_seq) : 0;
  }

  /** Once for all that happens at a time. */
  private render() {
    if (this.willRender) return;
    this.willRender = true;
    queueMicrotask(() => {
      this.willRender = false;
      this.renderNow();
    });
  }

  private renderNow() {
    const all = this.all;
    this.items.show(all.map((room) => [room.id, room]));
    const elsewhere = all.filter((room) => room.id !== this.current);
    const count = elsewhere.reduce((sum, room) => sum + this.unread(room), 0);
    showBadge(this.badge, count);
    const own = this.rooms.get(this.current);
    const unseen = count + (own && document.visibilityState === "hidden" ? this.unread(own) : 0);
    document.title = unseen > 0 ? `(${shortened(unseen)}) Natter` : "Natter";
  }

  private itemOf(id: number): HTMLElement {
    const link = element("a", "room");
    link.href = `#${id}`;
    link.addEventListener("click", () => this.choose(id));
    return element("li", "", link);
  }

  private update(item: HTMLElement, room: Room) {
    const link = item.firstElementChild!;
    const badge = element("span", "badge");
    showBadge(badge, room.id === this.current ? 0 : this.unread(room));
    link.replaceChildren(nameOf(room), " ", badge);
    link.classList.toggle("stranger", !room.joined);
    if (room.id === this.current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function showBadge(badge: HTMLElement, count: number) {
  badge.hidden = count === 0;
  badge.textContent = shortened(count);
  badge.setAttribute("role", "img");
  badge.setAttribute("aria-label", t("{count} unread", { count }));
}

/** The name that the first conversation comes with is no one's choice, and said in the language of the page. */
function titleOf({ kind, name }: Conversation): string {
  return kind === "everyone" && name === "Everyone" ? t(name) : name;
}

/** A name with a sign for whom it is: rooms, rooms by invitation, people. */
export function nameOf({ kind, name }: Conversation): HTMLElement {
  const sign = { everyone: "#", open: "#", invitation: "◆", direct: "@" }[kind];
  const mark = element("span", "sign", sign);
  mark.setAttribute("aria-hidden", "true");
  const text = element("span", "room-name", name);
  text.dir = "auto";
  return element("span", "named", mark, text);
}

function shortened(count: number) {
  return count > 99 ? "99+" : String(count);
}
