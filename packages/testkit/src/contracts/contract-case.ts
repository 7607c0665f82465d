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

/** Nodes on one machine that list one another, as a transport's `setup` makes them. */
export interface ContractCluster {
  /** At least three. Nothing is attached to the pickers yet: the suite attaches its own hosts. */
  readonly nodes: readonly { readonly picker: PeerPicker }[];
  /** Frees what `setup` opened. The suite may have closed some of the pickers already. */
  close(): Promise<void>;
}

/** The limits `setup` configured, so that the suite can go up to them and beyond. */
export interface ContractLimits {
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
}

/** What a case works with: a cluster with a scripted host at each node. */
export interface ContractContext {
  readonly nodes: readonly { readonly picker: PeerPicker; readonly host: ScriptedHost }[];
  readonly limits: ContractLimits | undefined;
}

/** One demand on a transport. Rejects when the transport does not meet it. */
export interface ContractCase {
  readonly name: string;
  /** The case says nothing without the transport's limits. Defaults to false. */
  readonly needsLimits?: boolean;
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
  if (nodes.length < 3) throw new Error(`setup made ${nodes.length} nodes; the suite needs three`);
  return { nodes, limits };
}

/** The node with this number. */
export function nodeAt(context: ContractContext, index: number): ContractContext["nodes"][number] {
  const node = context.nodes[index];
  if (node === undefined) throw new Error(`no node ${index}`);
  return node;
}

/** The peer by which node `from` reaches node `to`. */
export function peerBetween(context: ContractContext, route: { from: number; to: number }): Peer {
  const id = nodeAt(context, route.to).picker.selfId;
  const peers = nodeAt(context, route.from).picker.peers();
  const peer = peers.find((candidate) => candidate.id === id);
  if (peer === undefined) throw new Error(`node ${route.from} does not list ${id}`);
  return peer;
}

/** A lookup like most: of a data source's key, without input, with time enough. */
export function lookupOf(key: string, over: Partial<PeerLookup> = {}): PeerLookup {
  return { group: "datasource:users", key, input: undefined, fence: 0, timeoutMs: 4000, ...over };
}

export function invalidationOf(
  keys: readonly string[],
  over: Partial<PeerInvalidation> = {},
): PeerInvalidation {
  return { group: "datasource:users", target: { kind: "keys", keys }, fence: 1, ...over };
}

/** An answer that carries `text`. */
export function answerOf(text: string, over: Partial<PeerAnswer> = {}): PeerAnswer {
  return { value: Buffer.from(text), ttlMs: 60_000, fence: 0, ratePerMinute: 0, ...over };
}

/** The text an answer carries; undefined when it says "there is none". */
export function textOf(answer: PeerAnswer): string | undefined {
  return answer.value === undefined ? undefined : Buffer.from(answer.value).toString();
}

/** An answer that names the key it was given for, byte for byte. */
export function echo(lookup: PeerLookup): PeerAnswer {
  return answerOf(`value of ${Buffer.from(keyToBytes(lookup.key)).toString("hex")}`);
}

/** Demands that `call` rejects with a ParsecError that has one of the codes. */
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

/** Waits for a condition that an event elsewhere brings about; the test's own time limit ends it. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
