import type { Message } from "./message";
import { senderAndText } from "./message";
import { Stored } from "./stored";

/** Notices of what is said while the page is not looked at, for those who have asked for them. */
export class Notifications {
  private readonly wanted: Stored<boolean>;

  constructor(
    private readonly switchButton: HTMLButtonElement,
    userId: number,
  ) {
    this.wanted = new Stored(`notifications:${userId}`, false);
    if (!("Notification" in window) || !isSecureContext) return;
    switchButton.hidden = false;
    switchButton.addEventListener("click", () => void this.toggle());
    this.render();
  }

  show(message: Message, room: string) {
    if (!this.areOn || (document.visibilityState === "visible" && document.hasFocus())) return;
    const [sender, text] = senderAndText(message);
    const notice = this.notice(`${sender} · ${room}`, text.slice(0, 200), `natter-${message.conversation}`);
    notice?.addEventListener("click", () => {
      focus();
      location.hash = String(message.conversation);
      notice.close();
    });
  }

  /** Some phones have notices for service workers only, and say so no sooner. */
  private notice(title: string, body: string, tag: string): Notification | undefined {
    try {
      return new Notification(title, { body, tag });
    } catch {
      this.switchButton.hidden = true;
      return undefined;
    }
  }

  private get areOn() {
    return "Notification" in window && Notification.permission === "granted" && this.wanted.get();
  }

  private async toggle() {
    if (this.areOn) this.wanted.set(false);
    else this.wanted.set((await Notification.requestPermission()) === "granted");
    this.render();
  }

  private render() {
    this.switchButton.setAttribute("aria-pressed", String(this.areOn));
  }
}
