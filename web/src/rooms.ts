import { type Conversation, EVERYONE, fetchConversations } from "./api";
import { element } from "./element";
import type { Message } from "./message";

/** How the page is known to stand with a conversation. */
interface Room extends Conversation {
  /** The newest seq heard of. */
  heard: number;
}

/** The conversations of the user, in the list at the side. */
export class Rooms {
  private readonly rooms = new Map<number, Room>();
  /** The one on the page. */
  current = EVERYONE;

  constructor(
    private readonly list: HTMLElement,
    private readonly badge: HTMLElement,
    private readonly userId: number,
    private readonly choose: (id: number) => void,
  ) {}

  async load() {
    const fetched = await fetchConversations();
    const known = new Map(this.rooms);
    this.rooms.clear();
    for (const conversation of fetched) {
      const before = known.get(conversation.id);
      // What is said between the two answers is heard, or sent at the next connection.
      const heard = before?.joined ? before.heard : conversation.last_seq;
      const read_seq = Math.max(before?.read_seq ?? 0, conversation.read_seq);
      this.rooms.set(conversation.id, { ...conversation, read_seq, heard });
    }
    this.render();
  }

  get(id: number): Room | undefined {
    return this.rooms.get(id);
  }

  /** In the order of the list. */
  get all(): Room[] {
    const rank = ({ id, joined, kind }: Room) => (id === EVERYONE ? 0 : !joined ? 3 : kind === "direct" ? 2 : 1);
    const byName = (one: Room, other: Room) => rank(one) - rank(other) || one.name.localeCompare(other.name);
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

  private render() {
    this.list.replaceChildren(...this.all.map((room) => element("li", "", this.link(room))));
    const elsewhere = this.all.filter((room) => room.id !== this.current);
    const count = elsewhere.reduce((sum, room) => sum + this.unread(room), 0);
    this.badge.hidden = count === 0;
    this.badge.textContent = shortened(count);
    this.badge.setAttribute("aria-label", `${count} unread`);
    const own = this.rooms.get(this.current);
    const all = count + (own && document.visibilityState === "hidden" ? this.unread(own) : 0);
    document.title = all > 0 ? `(${shortened(all)}) Natter` : "Natter";
  }

  private link(room: Room): HTMLAnchorElement {
    const link = element("a", "room", nameOf(room));
    link.href = `#${room.id}`;
    link.classList.toggle("stranger", !room.joined);
    if (room.id === this.current) link.setAttribute("aria-current", "page");
    const unread = this.unread(room);
    if (unread > 0 && room.id !== this.current) {
      const badge = element("span", "badge", shortened(unread));
      badge.setAttribute("aria-label", `${unread} unread`);
      link.append(" ", badge);
    }
    link.addEventListener("click", () => this.choose(room.id));
    return link;
  }
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
