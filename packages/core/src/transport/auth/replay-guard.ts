/** How far messages of one session may be reordered before a late one is refused. */
const windowBits = 4096;
/** Sessions kept at once. Each belongs to one connection of a node that knows the secret. */
const maxSessions = 8192;

/** The numbers used in one session: a sliding bitmap that ends at the highest. */
class UsedNumbers {
  readonly #words: Uint32Array = new Uint32Array(windowBits / 32);
  #highest = 0;
  lastSignedAt = 0;

  /** False when the number was used before, or is older than the bitmap. */
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

/** The fields that make each signed message unique. */
export interface Stamp<Session extends string | number = string> {
  /** Milliseconds since 1970 by the sender's clock. */
  readonly signedAt: number;
  /** Identifies one sender and receiver. */
  readonly session: Session;
  /** Counts the messages of a session, from 1. */
  readonly number: number;
}

/**
 * Replay protection: accepts each signed message once. Senders number the messages of a session, so one
 * bitmap per session suffices. Verify signatures and their age before, so that strangers cannot fill it.
 */
export class ReplayGuard<Session extends string | number = string> {
  readonly #windowMs: number;
  readonly #sessions: Map<Session, UsedNumbers> = new Map();

  constructor(options: { readonly windowMs: number }) {
    this.#windowMs = options.windowMs;
  }

  /** False for a repeated message, and for a new session while too many are kept. */
  accept(message: Stamp<Session> & { readonly now: number }): boolean {
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

  /** Drops sessions whose messages are all older than the window. */
  #forgetOld(now: number): void {
    for (const [session, numbers] of this.#sessions) {
      if (numbers.lastSignedAt < now - this.#windowMs) this.#sessions.delete(session);
    }
  }
}
