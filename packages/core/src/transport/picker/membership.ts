import { describe, invalidArgument } from "../../option-checks.ts";

/** The members of a cluster as one node sees them. */
export interface Membership {
  readonly selfId: string;
  /** Every node, this one included, in the order given. */
  readonly ids: readonly string[];
}

/** How a transport spells the ids of its nodes. */
export interface NodeIds {
  /** The plural that errors use: "URLs", "addresses". */
  readonly noun: string;
  /** Returns the id as it was given, without a slash at its end. Throws `INVALID_ARGUMENT` that begins with `name`. */
  check(name: string, text: unknown): string;
  /** One text for all spellings of one node: case, default port, scheme. */
  normalForm(id: string): string;
}

/**
 * Checks `selfUrl` and `peerUrls`. Placement hashes their text, so all nodes must spell each of them
 * alike. Throws `INVALID_ARGUMENT` that names the option and the rule.
 */
export function checkMembership(
  given: { readonly selfUrl: string; readonly peerUrls: readonly string[] | undefined },
  nodeIds: NodeIds,
): Membership {
  const { peerUrls } = given;
  const selfId = nodeIds.check("selfUrl", given.selfUrl);
  if (!Array.isArray(peerUrls)) {
    throw invalidArgument(
      `peerUrls must be an array of ${nodeIds.noun}, got ${describe(peerUrls)}`,
    );
  }
  const ids = peerUrls.map((url, index) => nodeIds.check(`peerUrls[${index}]`, url));
  const byNormalForm = new Map<string, string>();
  for (const id of ids) {
    const normal = nodeIds.normalForm(id);
    const earlier = byNormalForm.get(normal);
    if (earlier === id) throw invalidArgument(`peerUrls lists ${describe(id)} twice`);
    if (earlier !== undefined) {
      throw invalidArgument(
        `peerUrls lists one node as ${describe(earlier)} and as ${describe(id)}`,
      );
    }
    byNormalForm.set(normal, id);
  }
  const listed = byNormalForm.get(nodeIds.normalForm(selfId));
  if (listed === undefined) {
    const all = ids.length === 0 ? "nothing" : ids.map(describe).join(", ");
    throw invalidArgument(
      `selfUrl ${describe(selfId)} is not among peerUrls, which must list every node, this one included: ${all}`,
    );
  }
  if (listed !== selfId) {
    throw invalidArgument(
      `selfUrl is spelled ${describe(selfId)} but peerUrls has ${describe(listed)}; use the same text, because the ring hashes it`,
    );
  }
  return { selfId, ids };
}
