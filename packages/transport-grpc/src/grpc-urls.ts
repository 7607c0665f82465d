import { describe, invalidArgument } from "@parsec/core/authoring";
import type { UrlSpelling } from "@parsec/core/transport";

/** The parsed address of a node. */
export interface NodeAddress {
  /** Host name or IP address; IPv6 without brackets. */
  readonly host: string;
  readonly port: number;
  /** Whether the scheme means TLS; undefined without a scheme. */
  readonly secure: boolean | undefined;
}

const nodeId = /^(?:(grpcs?|https?):\/\/)?(\[[0-9a-f:.]+\]|[^\s/:@?#[\]]+)(?::(\d{1,5}))?\/?$/i;
const defaultPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** The ids of nodes: addresses such as `grpc://node-1:50051`. Placement hashes their text, so all nodes must spell each address the same. */
export const grpcUrls: UrlSpelling = {
  noun: "addresses",
  check: checkNodeId,
  normalForm,
  secureScheme: "grpcs:",
  isPlain: (url) => addressOf(url).secure === false,
  hostOf: (url) => addressOf(url).host,
};

/** Parses an id that `grpcUrls.check` has accepted. */
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

/** Formats host and port for gRPC, with brackets around IPv6. */
export function hostAndPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Returns the id as given, without a trailing slash. */
function checkNodeId(name: string, text: unknown): string {
  if (typeof text !== "string")
    throw invalidArgument(`${name} must be an address, got ${describe(text)}`);
  // The value is not shown because it may contain a password.
  if (text.includes("@")) throw invalidArgument(`${name} must not contain credentials`);
  if (!nodeId.test(text)) {
    throw invalidArgument(
      `${name} must be an address such as "grpc://node-1:50051" or "node-1:50051", got ${describe(text)}`,
    );
  }
  const { port } = addressOf(text);
  if (port < 1 || port > 65_535) {
    throw invalidArgument(`${name} must have a port from 1 to 65535, got ${describe(text)}`);
  }
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

/** Normalizes case, default port and scheme, so that two spellings of one address compare equal. */
function normalForm(id: string): string {
  const { host, port } = addressOf(id);
  return hostAndPort(host, port);
}
