import { ParsecError } from "@parsec/core";
import { describe } from "@parsec/core/authoring";
import { keyFromBytes, keyToBytes } from "@parsec/core/transport";

/*
 * parsec.<cluster>.<node>.ask                    what a node is asked
 * parsec.<cluster>.<node>.reply.<session>.<n>    where it wants the answer to its n-th question
 *
 * The second is the node's own: one subscription for all answers, instead of an inbox per request.
 */

const root = "parsec";
const longestIdBytes = 255;
const plainToken = /^[A-Za-z0-9_-]+$/;

/** The names under which the nodes of one cluster reach each other. */
export interface NatsSubjects {
  /** The cluster's name, as a token. */
  readonly cluster: string;
  askOf(nodeId: string): string;
  /** The answers to questions of this session are published below it. */
  readonly replyBase: string;
  /** Whether an answer may be published there: a question could name any subject of the server. */
  isReply(subject: string): boolean;
}

export function natsSubjects(of: {
  readonly cluster: string;
  readonly nodeId: string;
  readonly session: string;
}): NatsSubjects {
  const cluster = toToken(of.cluster);
  // No character of a token means anything else in an expression.
  const replyShape = new RegExp(
    `^${root}\\.${cluster}\\.[A-Za-z0-9_=-]+\\.reply\\.[a-z0-9]+\\.[0-9]+$`,
  );
  return {
    cluster,
    askOf: (nodeId) => `${root}.${cluster}.${toToken(nodeId)}.ask`,
    replyBase: `${root}.${cluster}.${toToken(of.nodeId)}.reply.${of.session}`,
    isReply: (subject) => replyShape.test(subject),
  };
}

/**
 * A name as one token of a subject, or of a key in a bucket. Names of letters, digits, `-` and `_` stay as
 * they are; others become `=` and base64url, so that no two names share a token.
 */
export function toToken(name: string): string {
  if (plainToken.test(name)) return name;
  return `=${Buffer.from(keyToBytes(name)).toString("base64url")}`;
}

/** The name that became this token; undefined for what is no token of ours. */
export function fromToken(token: string): string | undefined {
  const encoded = token.startsWith("=");
  const name = encoded ? keyFromBytes(Buffer.from(token.slice(1), "base64url")) : token;
  return toToken(name) === token ? name : undefined;
}

/** Throws `INVALID_ARGUMENT` unless it is a text of 1 to 255 bytes. */
export function checkName(field: string, name: unknown): string {
  if (typeof name === "string" && name !== "" && keyToBytes(name).length <= longestIdBytes) {
    return name;
  }
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `${field} must be text of 1 to ${longestIdBytes} bytes, got ${describe(name)}`,
  );
}

/** Checks a list of all nodes. Throws `INVALID_ARGUMENT` saying what is wrong with it. */
export function checkMembers(
  field: string,
  options: { readonly nodeId: string; readonly ids: readonly string[] },
): readonly string[] {
  const { nodeId, ids } = options;
  if (!Array.isArray(ids)) {
    throw new ParsecError("INVALID_ARGUMENT", `${field} must be an array of node ids`);
  }
  const members = new Set<string>();
  for (const [index, given] of ids.entries()) {
    const id = checkName(`${field}[${index}]`, given);
    if (members.has(id)) {
      throw new ParsecError("INVALID_ARGUMENT", `${field} lists ${describe(id)} twice`);
    }
    members.add(id);
  }
  if (!members.has(nodeId)) {
    const all = ids.length === 0 ? "nothing" : ids.map(describe).join(", ");
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `${field} must list every node, this one (${describe(nodeId)}) included: ${all}`,
    );
  }
  return [...members];
}
