import { setMaxListeners } from "node:events";
import type { Clock } from "../clock.ts";
import { isParsecError, type ParsecErrorCode } from "../errors.ts";
import type { Peer, PeerCallOptions, PeerFailure, PeerInvalidation, PeerPicker } from "../peer.ts";
import type { InvalidationResult } from "./invalidation.ts";

const firstRetryMs = 100;
const longestRetryMs = 5_000;
const timeoutMs = 5_000;
/** Kept for one peer; beyond it the peer is told to drop whole groups, which says more in one word. */
const keptPerPeer = 1_024;
/** Members of old that may come back, such as under an address that is used again. */
const keptFormerMembers = 64;
/** Who was a member for less may not be noticed. */
const membersSeenMs = 1_000;

/** What will not go better the next time. A peer without the group has nothing of it to forget. */
const hopeless: ReadonlySet<ParsecErrorCode> = new Set([
  "NO_SUCH_GROUP",
  "INVALID_ARGUMENT",
  "INVALID_KEY",
  "KEY_TOO_LARGE",
  "MALFORMED_FRAME",
  "FRAME_TOO_LARGE",
]);

/** Tells everybody once more what a peer has learned late, or never: it may have handed the old value on. */
export type RepeatInvalidation = (
  invalidation: PeerInvalidation,
  options: PeerCallOptions,
) => Promise<InvalidationResult>;

interface Owed {
  readonly invalidation: PeerInvalidation;
  /**
   * When everybody has to be told once more, because the peer may have handed the old value on: once it
   * has learned, and should it leave without. `never` for what is a repetition itself.
   */
  readonly repeat: "never" | "learned" | "learned or gone";
}

/** From the least to the most. */
const repeats: readonly Owed["repeat"][] = ["never", "learned", "learned or gone"];

/** What one peer has yet to be told, oldest first. */
interface Debt {
  owed: Owed[];
  delayMs: number;
  cancelTimer: (() => void) | undefined;
}

/**
 * Invalidations that did not reach a peer, told again until they do: a peer that was away learns what
 * it missed when it returns. One that was no member meanwhile is owed them as well, should it become
 * a member again. One that restarted has little to forget, and applying them does no harm.
 */
export class MissedInvalidations {
  readonly #picker: PeerPicker;
  readonly #clock: Clock;
  readonly #repeat: RepeatInvalidation;
  readonly #debts: Map<string, Debt> = new Map();
  /** Every member seen, those that are none any more before the others. */
  readonly #known: Set<string> = new Set();
  readonly #closing: AbortController = new AbortController();
  #sawMembersAt = Number.NEGATIVE_INFINITY;

  constructor(parts: {
    readonly picker: PeerPicker;
    readonly clock: Clock;
    readonly repeat: RepeatInvalidation;
  }) {
    this.#picker = parts.picker;
    this.#clock = parts.clock;
    this.#repeat = parts.repeat;
    // Each peer that is being told listens.
    setMaxListeners(0, this.#closing.signal);
    this.seeMembers();
  }

  /** Remembers who is a member now. To be called now and then; costs next to nothing if that was a moment ago. */
  seeMembers(): void {
    const now = this.#clock.now();
    if (now < this.#sawMembersAt + membersSeenMs) return;
    this.#sawMembersAt = now;
    this.noteMembers();
  }

  /** Remembers who is a member now, and returns how many they are. */
  noteMembers(): number {
    const members = this.#picker.peers();
    for (const { id } of members) {
      this.#known.delete(id);
      this.#known.add(id);
    }
    return members.length;
  }

  /** Takes note of who did not acknowledge an invalidation, and of who is no member and was not told. */
  add(invalidation: PeerInvalidation, failed: readonly PeerFailure[]): void {
    this.#note({ invalidation, repeat: "learned or gone" }, failed);
    for (const id of this.#formerMembers()) this.#owe(id, { invalidation, repeat: "learned" });
  }

  close(): void {
    this.#closing.abort();
    for (const debt of this.#debts.values()) debt.cancelTimer?.();
    this.#debts.clear();
  }

  #note(owed: Owed, failed: readonly PeerFailure[]): void {
    for (const { peerId, error } of failed) {
      if (!hopeless.has(error.code)) this.#owe(peerId, owed);
    }
  }

  #formerMembers(): string[] {
    const memberCount = this.noteMembers();
    const former = [...this.#known].slice(0, this.#known.size - memberCount);
    const tooMany = Math.max(0, former.length - keptFormerMembers);
    for (const id of former.splice(0, tooMany)) {
      this.#known.delete(id);
      this.#forgive(id);
    }
    return former;
  }

  #forgive(peerId: string): void {
    this.#debts.get(peerId)?.cancelTimer?.();
    this.#debts.delete(peerId);
  }

  #owe(peerId: string, owed: Owed): void {
    if (this.#closing.signal.aborted) return;
    let debt = this.#debts.get(peerId);
    if (debt === undefined) {
      debt = { owed: [], delayMs: firstRetryMs, cancelTimer: undefined };
      this.#debts.set(peerId, debt);
      this.#schedule(peerId, debt);
    }
    if (debt.owed.some(({ invalidation }) => invalidation === owed.invalidation)) return;
    debt.owed.push(owed);
    if (debt.owed.length > keptPerPeer) debt.owed = summed(debt.owed);
  }

  #schedule(peerId: string, debt: Debt): void {
    debt.cancelTimer = this.#clock.schedule(debt.delayMs, () => {
      debt.cancelTimer = undefined;
      debt.delayMs = Math.min(debt.delayMs * 2, longestRetryMs);
      void this.#settle(peerId, debt);
    });
  }

  async #settle(peerId: string, debt: Debt): Promise<void> {
    const peer = this.#picker.peers().find(({ id }) => id === peerId);
    const learned = peer === undefined ? leftBehind(debt) : await this.#tell(peer, debt);
    if (this.#debts.get(peerId) === debt) {
      if (debt.owed.length === 0) this.#forgive(peerId);
      else this.#schedule(peerId, debt);
    }
    for (const invalidation of learned) await this.#tellAgain(invalidation);
  }

  /** Tells a peer what it is owed until it fails to take something. Returns what others have to be told again. */
  async #tell(peer: Peer, debt: Debt): Promise<PeerInvalidation[]> {
    const { signal } = this.#closing;
    const learned: PeerInvalidation[] = [];
    for (let oldest = debt.owed[0]; oldest !== undefined; oldest = debt.owed[0]) {
      const { invalidation, repeat } = oldest;
      try {
        await peer.invalidate({ ...invalidation, again: true }, { timeoutMs, signal });
        if (repeat !== "never") learned.push(invalidation);
      } catch (error) {
        if (!isParsecError(error) || !hopeless.has(error.code)) break;
      }
      // By identity: the list may have been summed up meanwhile.
      debt.owed = debt.owed.filter((one) => one !== oldest);
    }
    return learned;
  }

  async #tellAgain(invalidation: PeerInvalidation): Promise<void> {
    const { signal } = this.#closing;
    try {
      const { failed } = await this.#repeat({ ...invalidation, again: true }, { signal });
      this.#note({ invalidation, repeat: "never" }, failed);
    } catch {
      // This node is closing, or the group is gone.
    }
  }
}

/** What others have to be told again because a peer has left without having learned it. */
function leftBehind(debt: Debt): PeerInvalidation[] {
  const unlearned = debt.owed.filter(({ repeat }) => repeat === "learned or gone");
  debt.owed = debt.owed.map((one) =>
    unlearned.includes(one) ? { ...one, repeat: "learned" } : one,
  );
  return unlearned.map(({ invalidation }) => invalidation);
}

/** One "everything" for each group, under its newest fence. */
function summed(all: readonly Owed[]): Owed[] {
  const byGroup = new Map<string, Owed>();
  for (const { invalidation, repeat } of all) {
    const { group, fence } = invalidation;
    const before = byGroup.get(group)?.repeat ?? "never";
    byGroup.set(group, {
      invalidation: { group, fence, target: { kind: "all" } },
      repeat: repeats.indexOf(repeat) > repeats.indexOf(before) ? repeat : before,
    });
  }
  return [...byGroup.values()];
}
