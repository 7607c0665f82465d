import { ParsecError } from "@parsec/core";
import { describe } from "@parsec/core/authoring";
import { keyFromBytes, keyToBytes } from "@parsec/core/transport";

/*
 * parsec.<cluster>.<node>.ask                    requests to a node
 * parsec.<cluster>.<node>.reply.<session>.<n>    answers to its n-th request
 *
 * One subscription to `reply` receives all answers, instead of an inbox per request.
 */

const root = "parsec";
const longestIdBytes = 255;
const plainToken = /^[A-Za-z0-9_-]+$/;

/** The subjects of one cluster. */
export interface NatsSubjects {
  /** The cluster's name, as a token. */
  readonly cluster: string;
  askOf(nodeId: string): string;
  /** The prefix of the reply subjects of this session. */
  readonly replyBase: string;
  /** True for a reply subject of this cluster: an answer must not be published to any other subject that a request names. */
  isReply(subject: string): boolean;
}

export function natsSubjects(of: {
  readonly cluster: string;
  readonly nodeId: string;
  readonly session: string;
}): NatsSubjects {
  const cluster = toToken(of.cluster);
  // No character of a token is special in a regular expression.
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
 * Encodes a name as one token of a subject, or of a key in a bucket. Names of letters, digits, `-` and `_` stay as they
 * are; others become `=` and base64url, so that two names never share a token.
 */
export function toToken(name: string): string {
  if (plainToken.test(name)) return name;
  return `=${Buffer.from(keyToBytes(name)).toString("base64url")}`;
}

/** Decodes a token; undefined when it is not one of `toToken`. */
export function fromToken(token: string): string | undefined {
  const encoded = token.startsWith("=");
  const name = encoded ? keyFromBytes(Buffer.from(token.slice(1), "base64url")) : token;
  return toToken(name) === token ? name : undefined;
}

/** Throws `INVALID_ARGUMENT` unless the name is a string of 1 to 255 bytes. */
export function checkName(field: string, name: unknown): string {
  if (typeof name === "string" && name !== "" && keyToBytes(name).length <= longestIdBytes) {
    return name;
  }
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `${field} must be a string of 1 to ${longestIdBytes} bytes, got ${describe(name)}`,
  );
}

/** Checks a list of all nodes. Throws `INVALID_ARGUMENT` naming the invalid entry. */
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
