import type { PeerContact } from "../../peer.ts";
import { encodeInvalidations, type InvalidationFrame } from "./invalidations.ts";
import type { FrameLimits } from "./limits.ts";
import type { NodeBuffer } from "./node-buffer.ts";

/**
 * Encodes a contact as an invalidation of a group without a name: no node has such a group, so nodes of an
 * earlier release answer `NO_SUCH_GROUP`.
 */
export function encodeContact(
  frame: { readonly frameId: number; readonly sender: number; readonly contact: PeerContact },
  limits: FrameLimits,
): NodeBuffer {
  const { peerId, session, isLeaving } = frame.contact;
  const target = { kind: "keys", keys: [peerId] } as const;
  const invalidations = [{ group: "", target, fence: session, again: isLeaving }];
  return encodeInvalidations({ ...frame, invalidations }, limits);
}

/** The contact in a frame of invalidations; undefined for a frame of invalidations. */
export function readContactFrame({ invalidations }: InvalidationFrame): PeerContact | undefined {
  const [first] = invalidations;
  if (first?.group !== "" || first.target.kind !== "keys") return undefined;
  const [peerId] = first.target.keys;
  if (peerId === undefined) return undefined;
  return { peerId, session: first.fence, isLeaving: first.again === true };
}
