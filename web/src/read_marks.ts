import { answered, type Connection, isPassing } from "./connection";

const PAUSE = 2_000;

/** What has been read, until the server knows: told after a pause, once for all that was read in it. */
export class ReadMarks {
  /** Conversations, and the seq up to which each has been read. */
  private readonly untold = new Map<number, number>();
  private timer: number | undefined;

  constructor(private readonly connection: Connection) {
    addEventListener("pagehide", () => this.tell());
  }

  note(conversation: number, seq: number) {
    this.untold.set(conversation, seq);
    this.timer ??= window.setTimeout(() => this.tell(), PAUSE);
  }

  /** Also what the last connection may have lost. */
  tell() {
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const [conversation, seq] of this.untold) void this.tellOne(conversation, seq);
  }

  private async tellOne(conversation: number, seq: number) {
    const answer = await answered(this.connection.markRead(conversation, seq));
    const isSettled = answer.ok || !isPassing(answer);
    if (isSettled && this.untold.get(conversation) === seq) this.untold.delete(conversation);
  }
}
