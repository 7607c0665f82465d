import {
  isParsecError,
  type ParsecErrorCode,
  type Peer,
  type PeerAnswer,
  type PeerInvalidation,
  type PeerLookup,
  type PeerPicker,
} from "@parsec/core";
import { keyToBytes } from "@parsec/core/transport";
import { expect } from "vitest";
import { createScriptedHost, type ScriptedHost } from "./scripted-host.ts";

/** The cluster that `setup` of a contract suite creates: nodes on one machine, each with all others as members. */
export interface ContractCluster {
  /** At least three, and no host attached to a picker yet: the suite attaches its own hosts. */
  readonly nodes: readonly { readonly picker: PeerPicker }[];
  /** Releases everything that `setup` opened. The suite may have closed some pickers before. */
  close(): Promise<void>;
}

/** The size limits that `setup` configured. The contract suite sends keys and values at each limit and above it. */
export interface ContractLimits {
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
}

/** The input of a case: a cluster with a scripted host attached to each node. */
export interface ContractContext {
  readonly nodes: readonly { readonly picker: PeerPicker; readonly host: ScriptedHost }[];
  readonly limits: ContractLimits | undefined;
}

/** One requirement for transports, as a test. */
export interface ContractCase {
  readonly name: string;
  /** Whether the case is skipped when the limits are not given. Defaults to false. */
  readonly needsLimits?: boolean;
  /** Rejects when the transport does not meet the requirement. */
  run(context: ContractContext): Promise<void>;
}

/** Attaches a scripted host to every node of the cluster. */
export function attachScriptedHosts(
  cluster: ContractCluster,
  limits: ContractLimits | undefined,
): ContractContext {
  const nodes = cluster.nodes.map(({ picker }) => {
    const host = createScriptedHost();
    picker.attach(host);
    return { picker, host };
  });
  if (nodes.length < 3) throw new Error(`setup must create at least 3 nodes, got ${nodes.length}`);
  return { nodes, limits };
}

/** The node at this index. Throws when there is none. */
export function nodeAt(context: ContractContext, index: number): ContractContext["nodes"][number] {
  const node = context.nodes[index];
  if (node === undefined)
    throw new Error(`index must be below ${context.nodes.length}, got ${index}`);
  return node;
}

/** The peer through which node `from` reaches node `to`. */
export function peerBetween(context: ContractContext, route: { from: number; to: number }): Peer {
  const id = nodeAt(context, route.to).picker.selfId;
  const peers = nodeAt(context, route.from).picker.peers();
  const peer = peers.find((candidate) => candidate.id === id);
  if (peer === undefined) throw new Error(`peers() of node ${route.from} must contain ${id}`);
  return peer;
}

/** A lookup of a data source's key, without input, with a timeout of 4 s; `over` replaces fields. */
export function lookupOf(key: string, over: Partial<PeerLookup> = {}): PeerLookup {
  return { group: "datasource:users", key, input: undefined, fence: 0, timeoutMs: 4000, ...over };
}

/** An invalidation of these keys of a data source; `over` replaces fields. */
export function invalidationOf(
  keys: readonly string[],
  over: Partial<PeerInvalidation> = {},
): PeerInvalidation {
  return { group: "datasource:users", target: { kind: "keys", keys }, fence: 1, ...over };
}

/** An answer with the value `text`; `over` replaces fields. */
export function answerOf(text: string, over: Partial<PeerAnswer> = {}): PeerAnswer {
  return { value: Buffer.from(text), ttlMs: 60_000, fence: 0, ratePerMinute: 0, ...over };
}

/** The value of an answer as text; undefined for an absent value. */
export function textOf(answer: PeerAnswer): string | undefined {
  return answer.value === undefined ? undefined : Buffer.from(answer.value).toString();
}

/** An answer whose value contains the bytes of the key in hex. */
export function echo(lookup: PeerLookup): PeerAnswer {
  return answerOf(`value of ${Buffer.from(keyToBytes(lookup.key)).toString("hex")}`);
}

/** Rejects unless `call` rejects with a ParsecError that has one of the codes. */
export async function expectRejection(
  call: Promise<unknown>,
  ...codes: readonly ParsecErrorCode[]
): Promise<void> {
  const outcome = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!("error" in outcome)) {
    throw new Error(`expected ${codes.join(" or ")}, but the call resolved`);
  }
  const { error } = outcome;
  if (!isParsecError(error)) throw new Error("not a ParsecError", { cause: error });
  expect(codes, error.message).toContain(error.code);
}

/** Polls until the condition holds; only the test's own timeout ends it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
