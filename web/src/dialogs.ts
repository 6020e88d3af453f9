import { type Conversation, fetchMembers, type Person } from "./api";
import { answered, type Connection } from "./connection";
import { element, find } from "./element";
import { fromServer, t } from "./language";
import type { Message } from "./message";

/** Every dialog closes by its buttons, by Escape, and by a click beside it. */
export function prepareDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("pointerdown", (event) => isBeside(event, dialog) && dialog.close());
    for (const close of dialog.querySelectorAll("[data-close]")) close.addEventListener("click", () => dialog.close());
  }
}

function isBeside({ clientX, clientY }: PointerEvent, dialog: HTMLElement): boolean {
  const { left, right, top, bottom } = dialog.getBoundingClientRect();
  return clientX < left || clientX > right || clientY < top || clientY > bottom;
}

/** Opens rooms, and conversations with one person. */
export class OpeningDialog {
  private readonly dialog = find<HTMLDialogElement>("opening");
  private readonly field = find<HTMLInputElement>("opening-text");
  private isAsking = false;

  constructor(
    private readonly connection: Connection,
    private readonly opened: (conversation: Conversation) => void,
  ) {
    const form = this.dialog.querySelector("form")!;
    form.addEventListener("change", () => this.ask());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
  }

  open() {
    this.field.value = "";
    this.ask();
    this.dialog.showModal();
    this.field.focus();
  }

  private get kind() {
    return this.dialog.querySelector<HTMLInputElement>('input[name="kind"]:checked')!.value;
  }

  private ask() {
    const isDirect = this.kind === "direct";
    find("opening-label").textContent = t(isDirect ? "Their e-mail address" : "Name of the room");
    this.field.type = isDirect ? "email" : "text";
    this.field.maxLength = isDirect ? 254 : 80;
    say(find("opening-error"), "");
  }

  private async submit() {
    if (this.isAsking) return;
    const { kind } = this;
    const text = this.field.value.trim();
    const opening = kind === "direct" ? { kind, email: text } : { kind, name: text };
    this.isAsking = true;
    const answer = await answered(this.connection.openConversation(opening));
    this.isAsking = false;
    if (!answer.ok) return say(find("opening-error"), fromServer(answer.error.message));
    this.dialog.close();
    this.opened(answer.conversation);
  }
}

/** Who is in a room; brings people in, and leaves it. */
export class MembersDialog {
  private readonly dialog = find<HTMLDialogElement>("members");
  private readonly list = find("members-list");
  private readonly invite = find<HTMLFormElement>("invite");
  private readonly email = find<HTMLInputElement>("invite-email");
  private readonly leave = find<HTMLButtonElement>("leave-room");
  private conversation: Conversation | undefined;

  constructor(private readonly connection: Connection) {
    this.invite.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.bringIn();
    });
    this.leave.addEventListener("click", () => this.conversation && void this.goAway(this.conversation.id));
  }

  async open(conversation: Conversation) {
    this.conversation = conversation;
    const isRoom = conversation.kind === "open" || conversation.kind === "invitation";
    this.invite.hidden = this.leave.hidden = !isRoom;
    this.list.replaceChildren();
    say(find("invite-error"), "");
    this.dialog.showModal();
    await this.load();
  }

  private async load() {
    const { conversation } = this;
    let members: Person[];
    try {
      members = await fetchMembers(conversation!.id);
    } catch {
      return say(find("invite-error"), t("The members did not load."));
    }
    if (conversation !== this.conversation) return;
    this.list.replaceChildren(...members.map(({ email }) => element("li", "", element("span", "person", email))));
  }

  private async bringIn() {
    const answer = await answered(this.connection.invite(this.conversation!.id, this.email.value.trim()));
    say(find("invite-error"), answer.ok ? "" : fromServer(answer.error.message));
    if (!answer.ok) return;
    this.email.value = "";
    await this.load();
  }

  private async goAway(conversation: number) {
    const answer = await answered(this.connection.leave(conversation));
    if (answer.ok) this.dialog.close();
    else say(find("invite-error"), fromServer(answer.error.message));
  }
}

/** Asks before a message is deleted. */
export class DeletingDialog {
  private readonly dialog = find<HTMLDialogElement>("deleting");
  private message: Message | undefined;

  constructor(remove: (message: Message) => void) {
    find("delete-message").addEventListener("click", () => {
      this.dialog.close();
      // The button that it was opened by goes with the text.
      find("scroller").focus();
      if (this.message) remove(this.message);
    });
  }

  open(message: Message) {
    this.message = message;
    this.dialog.showModal();
  }
}

function say(place: HTMLElement, text: string) {
  place.textContent = text;
  place.hidden = text === "";
}

