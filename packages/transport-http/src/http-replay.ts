/** Requests of one asker that may overtake each other before the slowest is refused. */
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
      else
        for (let skipped = this.#highest + 1; skipped < number; skipped++) this.#mark(skipped, 0);
      this.#highest = number;
    } else if (this.#highest - number >= windowBits || this.#isMarked(number)) return false;
    this.#mark(number, 1);
    return true;
  }

  #isMarked(number: number): boolean {
    const bit = number % windowBits;
    return (((this.#seen[bit >>> 5] as number) >>> (bit & 31)) & 1) === 1;
  }

  #mark(number: number, value: 0 | 1): void {
    const bit = number % windowBits;
    const word = this.#seen[bit >>> 5] as number;
    const mask = 1 << (bit & 31);
    this.#seen[bit >>> 5] = value === 1 ? word | mask : word & ~mask;
  }
}

/**
 * Lets each signed request pass once. Askers number their requests, so that a bitmap per asker is
 * enough: half a kilobyte instead of every nonce of the last minute. Only signed requests get here,
 * so that strangers cannot fill it.
 */
export class ReplayGuard {
  readonly #windowMs: number;
  readonly #sessions: Map<string, Session> = new Map();

  constructor(options: { readonly windowMs: number }) {
    this.#windowMs = options.windowMs;
  }

  /** False for a replay, and for a new asker while there are too many to remember. */
  accept(request: {
    readonly session: string;
    readonly number: number;
    readonly timestamp: number;
    readonly now: number;
  }): boolean {
    let session = this.#sessions.get(request.session);
    if (session === undefined) {
      if (this.#sessions.size >= maxSessions) this.#forgetStale(request.now);
      if (this.#sessions.size >= maxSessions) return false;
      session = new Session();
      this.#sessions.set(request.session, session);
    }
    session.latestTimestamp = Math.max(session.latestTimestamp, request.timestamp);
    return session.take(request.number);
  }

  /** What is older than the window is refused for its time, whatever its number. */
  #forgetStale(now: number): void {
    for (const [name, session] of this.#sessions) {
      if (session.latestTimestamp < now - this.#windowMs) this.#sessions.delete(name);
    }
  }
}
