import type { RingState } from "@parsec/ring";
import type { ChaosNode } from "./chaos-node.ts";

/** How the ring stands for a node; undefined when it does not say so soon. */
export async function askRingState(node: ChaosNode): Promise<RingState | undefined> {
  try {
    const answer = await fetch(`${node.url}/ring`, { signal: AbortSignal.timeout(2000) });
    return (await answer.json()) as RingState;
  } catch {
    return undefined;
  }
}

/** What keeps a node from being at rest; nothing when it is. */
export function describeUnrest(
  state: RingState | undefined,
  { wanted, replicas }: { readonly wanted: readonly string[]; readonly replicas: number },
): string {
  if (state === undefined) return "a node does not answer";
  const { members, moving, notServing, underReplicated, leaseValid, status, node } = state;
  const ids = members.map(({ id }) => id).sort();
  const owned = members.reduce((sum, member) => sum + member.owned, 0);
  const isFull = underReplicated === 0 || ids.length < replicas;
  const unrest = [
    status === "active" ? "" : `is ${status}`,
    leaseValid ? "" : "has no lease",
    ids.join() === wanted.join() ? "" : `sees ${ids.join()}, not ${wanted.join()}`,
    moving.length === 0 ? "" : `has ${moving.length} moves`,
    notServing.length === 0 ? "" : `does not serve ${JSON.stringify(notServing)}`,
    owned === state.partitions ? "" : `sees ${owned} partitions owned`,
    isFull ? "" : `lacks ${underReplicated} copies`,
  ].filter((text) => text !== "");
  return unrest.length === 0 ? "" : `${node} ${unrest.join(", ")}`;
}
