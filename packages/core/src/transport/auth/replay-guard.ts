/** Messages of one session that may overtake each other before the slowest is refused. */
const windowBits = 4096;
/** Sessions remembered at once. Each is a node that knows the secret, since it or its link was started. */
const maxSessions = 8192;

/** The numbers used in one session: a bitmap that moves along with the highest. */
class UsedNumbers {
  readonly #words: Uint32Array = new Uint32Array(windowBits / 32);
  #highest = 0;
  lastSignedAt = 0;

  /** False when the number was used before, or lies too far back to know. */
  use(number: number): boolean {
    const lead = number - this.#highest;
    if (lead <= -windowBits || (lead <= 0 && this.#has(number))) return false;
    if (lead > 0) this.#advance(number);
    this.#set(number, true);
    return true;
  }

  #advance(number: number): void {
    const first = Math.max(this.#highest + 1, number - windowBits + 1);
    for (let skipped = first; skipped < number; skipped++) this.#set(skipped, false);
    this.#highest = number;
  }

  #has(number: number): boolean {
    const bit = number % windowBits;
    return (((this.#words[bit >>> 5] as number) >>> (bit & 31)) & 1) === 1;
  }

  #set(number: number, used: boolean): void {
    const bit = number % windowBits;
    const mask = 1 << (bit & 31);
    if (used) (this.#words[bit >>> 5] as number) |= mask;
    else (this.#words[bit >>> 5] as number) &= ~mask;
  }
}

/** A signed message as the guard sees it. */
export interface SignedMessage<Session extends string | number = string> {
  /** One sender's way to one receiver; its messages are numbered from 1. */
  readonly session: Session;
  readonly number: number;
  /** Milliseconds since 1970 by the sender's clock. */
  readonly signedAt: number;
  /** Milliseconds since 1970 by this node's clock. */
  readonly now: number;
}

/**
 * Lets each signed message pass once. Senders number what they sign, so a bitmap per session is enough
 * to remember. Ask only about signatures that were verified and are no older than the window:
 * strangers can then not fill it.
 */
export interface ReplayGuard<Session extends string | number = string> {
  /** False for a message that was accepted before, and for a new session while too many are remembered. */
  accept(message: SignedMessage<Session>): boolean;
}

/** A replay guard that remembers sessions for `windowMs`. */
export function createReplayGuard<Session extends string | number = string>(options: {
  readonly windowMs: number;
}): ReplayGuard<Session> {
  return new SessionBitmaps<Session>(options);
}

class SessionBitmaps<Session extends string | number> implements ReplayGuard<Session> {
  readonly #windowMs: number;
  readonly #sessions: Map<Session, UsedNumbers> = new Map();

  constructor(options: { readonly windowMs: number }) {
    this.#windowMs = options.windowMs;
  }

  accept(message: SignedMessage<Session>): boolean {
    let numbers = this.#sessions.get(message.session);
    if (numbers === undefined) {
      if (this.#sessions.size >= maxSessions) this.#forgetOld(message.now);
      if (this.#sessions.size >= maxSessions) return false;
      numbers = new UsedNumbers();
      this.#sessions.set(message.session, numbers);
    }
    numbers.lastSignedAt = Math.max(numbers.lastSignedAt, message.signedAt);
    return numbers.use(message.number);
  }

  /** What was signed before the window is refused for its age; its numbers need not be known. */
  #forgetOld(now: number): void {
    for (const [session, numbers] of this.#sessions) {
      if (numbers.lastSignedAt < now - this.#windowMs) this.#sessions.delete(session);
    }
  }
}
