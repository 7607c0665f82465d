import type { Clock } from "../clock.ts";
import type { Peer, PeerInvalidation } from "../peer.ts";

/** An invalidation, and the ids of the peers that have not applied it. */
export interface Debt {
  readonly invalidation: PeerInvalidation;
  readonly owedTo: readonly string[];
}

interface Transfer {
  /** The peers to ask, the most suitable first. */
  readonly heirs: readonly Peer[];
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks two peers to retry the invalidations as well, further ones where these do not answer. Returns the debts
 * that no peer has taken over within the time limit.
 */
export async function transferDebts(
  debts: readonly Debt[],
  { heirs, clock, timeoutMs: limitMs, signal }: Transfer,
): Promise<readonly Debt[]> {
  const endsAt = clock.now() + limitMs;
  let left = debts;
  for (let start = 0, width = 2; start < heirs.length && left.length > 0; width *= 2) {
    const timeoutMs = endsAt - clock.now();
    if (timeoutMs <= 0 || signal?.aborted) break;
    const asked = heirs.slice(start, start + width);
    start += width;
    const taken = new Set<Debt>();
    const ask = async (heir: Peer, debt: Debt): Promise<void> => {
      const { invalidation, owedTo } = debt;
      try {
        await heir.invalidate({ ...invalidation, owedTo, again: true }, { timeoutMs, signal });
        taken.add(debt);
      } catch {
        // The peer is unreachable, leaving as well, or of an earlier release.
      }
    };
    await Promise.all(
      asked.flatMap((heir) =>
        left.filter(({ owedTo }) => !owedTo.includes(heir.id)).map((debt) => ask(heir, debt)),
      ),
    );
    left = left.filter((debt) => !taken.has(debt));
  }
  return left;
}
