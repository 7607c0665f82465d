import { describe, invalidArgument } from "../../option-checks.ts";

/** The members of a cluster and this node's own id. */
export interface Membership {
  readonly selfId: string;
  /** Every node, this one included, in the order given. */
  readonly ids: readonly string[];
}

/** The form of node ids in a transport. */
export interface NodeIds {
  /** Plural noun for error messages: "URLs", "addresses". */
  readonly noun: string;
  /** Checks an id and returns it without a trailing slash. Throws `INVALID_ARGUMENT` with a message that starts with `name`. */
  check(name: string, text: unknown): string;
  /** The same text for all spellings of one node, such as in case, default port or scheme. */
  normalForm(id: string): string;
}

/**
 * Checks the options `selfUrl` and `peerUrls`. Placement hashes their text, so all nodes must spell each id
 * alike. Throws `INVALID_ARGUMENT` naming the option and the rule.
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
  // Array.from visits the holes of the array, too.
  const ids = Array.from(peerUrls, (url, index) => nodeIds.check(`peerUrls[${index}]`, url));
  const byNormalForm = new Map<string, string>();
  for (const id of ids) {
    const normal = nodeIds.normalForm(id);
    const earlier = byNormalForm.get(normal);
    if (earlier === id)
      throw invalidArgument(`peerUrls must not contain duplicates, got ${describe(id)} twice`);
    if (earlier !== undefined) {
      throw invalidArgument(
        `peerUrls must list each node once, got ${describe(earlier)} and ${describe(id)} for one node`,
      );
    }
    byNormalForm.set(normal, id);
  }
  const listed = byNormalForm.get(nodeIds.normalForm(selfId));
  if (listed === undefined) {
    const all = ids.length === 0 ? "nothing" : ids.map(describe).join(", ");
    throw invalidArgument(
      `peerUrls must list every node, this one included: selfUrl is ${describe(selfId)}, got ${all}`,
    );
  }
  if (listed !== selfId) {
    throw invalidArgument(
      `selfUrl must be spelled as in peerUrls, ${describe(listed)}, because placement hashes the text, got ${describe(selfId)}`,
    );
  }
  return { selfId, ids };
}
