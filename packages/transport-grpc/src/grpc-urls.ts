import { describe, invalidArgument } from "@parsec/core/authoring";
import type { UrlSpelling } from "@parsec/core/transport";

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

/** Nodes are called by addresses such as `grpc://node-1:50051`. Their text is hashed by placement: all nodes must spell them alike. */
export const grpcUrls: UrlSpelling = {
  noun: "addresses",
  check: checkNodeId,
  normalForm,
  secureScheme: "grpcs:",
  isPlain: (url) => addressOf(url).secure === false,
};

/** Reads an id that `grpcUrls.check` has accepted. */
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
  if (typeof text !== "string")
    throw invalidArgument(`${name} must be an address, got ${describe(text)}`);
  // Not shown, because what stands before the @ may be a password.
  if (text.includes("@")) throw invalidArgument(`${name} must not hold credentials`);
  if (!nodeId.test(text)) {
    throw invalidArgument(
      `${name} must be an address such as "grpc://node-1:50051" or "node-1:50051", got ${describe(text)}`,
    );
  }
  const { port } = addressOf(text);
  if (port < 1 || port > 65_535) {
    throw invalidArgument(`${name} needs a port from 1 to 65535: ${describe(text)}`);
  }
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

/** The same for all spellings of one address: case, default port, scheme. */
function normalForm(id: string): string {
  const { host, port } = addressOf(id);
  return hostAndPort(host, port);
}
