/** Messages of one asker that may overtake each other before the slowest is refused. */
const windowBits = 4096;
const maxSessions = 4096;

class Session {
  readonly #seen: Uint32Array = new Uint32Array(windowBits / 32);
  #highest = 0;
  latestTimestamp = 0;

  /** Notes a number. False when it was there before, or lies too far back to know. */
  take(number: number): boolean {
    if (number > this.#highest) {
      if (number - this.#highest >= windowBits) this.#seen.fill(0);
      else for (let at = this.#highest + 1; at < number; at++) this.#mark(at, false);
      this.#highest = number;
    } else if (this.#highest - number >= windowBits || this.#isMarked(number)) return false;
    this.#mark(number, true);
    return true;
  }

  #isMarked(number: number): boolean {
    const bit = number % windowBits;
    return (((this.#seen[bit >>> 5] as number) >>> (bit & 31)) & 1) === 1;
  }

  #mark(number: number, value: boolean): void {
    const bit = number % windowBits;
    const word = this.#seen[bit >>> 5] as number;
    const mask = 1 << (bit & 31);
    this.#seen[bit >>> 5] = value ? word | mask : word & ~mask;
  }
}

/**
 * Lets each signed message pass once. Askers number what they send, so that a bitmap per asker is
 * enough. Only signed messages get here: strangers cannot fill it.
 */
export class ReplayGuard {
  readonly #windowMs: number;
  readonly #sessions: Map<number, Session> = new Map();

  constructor(options: { readonly windowMs: number }) {
    this.#windowMs = options.windowMs;
  }

  /** False for a replay, and for a new asker while there are too many to remember. */
  accept(message: {
    readonly session: number;
    readonly number: number;
    readonly timestamp: number;
    readonly now: number;
  }): boolean {
    let session = this.#sessions.get(message.session);
    if (session === undefined) {
      if (this.#sessions.size >= maxSessions) this.#forgetStale(message.now);
      if (this.#sessions.size >= maxSessions) return false;
      session = new Session();
      this.#sessions.set(message.session, session);
    }
    session.latestTimestamp = Math.max(session.latestTimestamp, message.timestamp);
    return session.take(message.number);
  }

  /** What is older than the window is refused for its time, whatever its number. */
  #forgetStale(now: number): void {
    for (const [name, session] of this.#sessions) {
      if (session.latestTimestamp < now - this.#windowMs) this.#sessions.delete(name);
    }
  }
}
