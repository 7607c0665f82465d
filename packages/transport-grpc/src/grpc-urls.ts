import { describe, ParsecError } from "@parsec/core";

/** The members of a ring as this node sees them. */
export interface Membership {
  readonly selfId: string;
  /** Every node, this one included, in the order given. */
  readonly ids: readonly string[];
}

/** Where a node listens, as its id says. */
export interface NodeAddress {
  /** A name or an address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether the id says that the connection is encrypted; undefined when it names no scheme. */
  readonly secure: boolean | undefined;
}

const nodeId = /^(?:(grpcs?|https?):\/\/)?(\[[0-9a-f:.]+\]|[^\s/:@?#[\]]+)(?::(\d{1,5}))?\/?$/i;
const defaultPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

/**
 * Checks the addresses of a cluster. Their text, without a slash at the end, is what placement hashes,
 * so all nodes must spell each of them alike. Throws `INVALID_ARGUMENT` saying which one is wrong and why.
 */
export function checkMembership(
  selfUrl: string,
  peerUrls: readonly string[] | undefined,
): Membership {
  const selfId = checkNodeId("selfUrl", selfUrl);
  if (!Array.isArray(peerUrls)) {
    throw invalid(`peerUrls must be an array of addresses, not ${describe(peerUrls)}`);
  }
  const ids = peerUrls.map((url, index) => checkNodeId(`peerUrls[${index}]`, url));
  const byNormalForm = new Map<string, string>();
  for (const id of ids) {
    const earlier = byNormalForm.get(normalForm(id));
    if (earlier === id) throw invalid(`peerUrls lists ${describe(id)} twice`);
    if (earlier !== undefined) {
      throw invalid(`peerUrls lists one node as ${describe(earlier)} and as ${describe(id)}`);
    }
    byNormalForm.set(normalForm(id), id);
  }
  const listed = byNormalForm.get(normalForm(selfId));
  if (listed === undefined) {
    const all = ids.length === 0 ? "nothing" : ids.map(describe).join(", ");
    throw invalid(
      `selfUrl ${describe(selfId)} is not among peerUrls, which must list every node, this one included: ${all}`,
    );
  }
  if (listed !== selfId) {
    throw invalid(
      `selfUrl is spelled ${describe(selfId)} but peerUrls has ${describe(listed)}; the same text is needed, because it is what the ring hashes`,
    );
  }
  return { selfId, ids };
}

/** Reads an id that {@link checkMembership} has accepted. */
export function addressOf(id: string): NodeAddress {
  const [, scheme, host, port] = nodeId.exec(id) as unknown as readonly [
    string,
    string | undefined,
    string,
    string | undefined,
  ];
  const lowerCase = scheme?.toLowerCase();
  return {
    host: host.replace(/^\[|\]$/g, "").toLowerCase(),
    port: port === undefined ? (defaultPorts[lowerCase ?? ""] ?? 0) : Number(port),
    secure: lowerCase === undefined ? undefined : lowerCase === "grpcs" || lowerCase === "https",
  };
}

/** Host and port as gRPC takes them, with the brackets that IPv6 needs. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Returns the id as it was given, without a slash at its end. */
function checkNodeId(name: string, text: unknown): string {
  if (typeof text !== "string") throw invalid(`${name} must be an address, not ${describe(text)}`);
  // Not shown, because what stands before the @ may be a password.
  if (text.includes("@")) throw invalid(`${name} must not hold credentials`);
  if (!nodeId.test(text)) {
    throw invalid(
      `${name} must be an address such as "grpc://node-1:50051" or "node-1:50051", not ${describe(text)}`,
    );
  }
  const { port } = addressOf(text);
  if (port < 1 || port > 65_535) {
    throw invalid(`${name} needs a port from 1 to 65535: ${describe(text)}`);
  }
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

/** The same for all spellings of one address: case, default port, scheme. */
function normalForm(id: string): string {
  const { host, port } = addressOf(id);
  return hostAndPort(host, port);
}

function invalid(message: string): ParsecError {
  return new ParsecError("INVALID_ARGUMENT", message);
}
