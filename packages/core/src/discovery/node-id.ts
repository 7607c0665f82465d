import { isIPv4, isIPv6 } from "node:net";
import { describe, invalidArgument } from "../option-checks.ts";

/** The form of node ids in a cluster, derived from the id of one node. */
export interface NodeIdFormat {
  /** Family of the addresses in ids; undefined when ids contain host names. */
  readonly family: 4 | 6 | undefined;
  /** Whether ids contain a port. */
  readonly hasPort: boolean;
  /** The id of the node at this host and, unless another is given, the same port. Undefined for an invalid host. */
  idOf(host: string, port?: number): string | undefined;
}

const idShape = /^((?:[a-z][a-z0-9+.-]*:\/\/)?)(\[[0-9a-f:.]+\]|[^\s/:@?#[\]]+)(:\d{1,5})?$/i;
const labelShape = /^[a-z0-9_-]{1,63}$/;
const longestName = 253;

/** Throws `INVALID_ARGUMENT` when a node with this id cannot be found by records of this type. */
export function checkedNodeId(selfId: string, record: "address" | "srv"): NodeIdFormat {
  const idFormat = idFormatOf(selfId);
  if (record === "address" && idFormat.family === undefined) {
    throw invalidArgument(
      `the node id must contain this node's address, such as http://10.0.0.7:8080 (in Kubernetes: http://$(POD_IP):8080), because DNS lists nodes by address, got ${describe(selfId)}`,
    );
  }
  if (record === "srv" && !idFormat.hasPort) {
    throw invalidArgument(
      `the node id must contain a port, because SRV records list nodes with their ports, got ${describe(selfId)}`,
    );
  }
  return idFormat;
}

/**
 * Parses an id such as `http://10.0.0.7:8080`, `10.0.0.7:50051` or `node-1`. Placement hashes the text of
 * ids, so an id that other nodes would derive in another spelling is refused as `INVALID_ARGUMENT`.
 */
function idFormatOf(selfId: string): NodeIdFormat {
  const [, prefix = "", written, port] = idShape.exec(selfId) ?? [];
  if (written === undefined) {
    throw invalidArgument(
      `the node id must consist of host and port for discovery by DNS, with IPv6 addresses in brackets, got ${describe(selfId)}`,
    );
  }
  const host = written.replace(/^\[|\]$/g, "");
  const family = isIPv4(host) ? 4 : isIPv6(host) ? 6 : undefined;
  const idOf = (text: string, otherPort?: number): string | undefined => {
    const spelled = normalizedHost(text);
    if (spelled === undefined) return undefined;
    return `${prefix}${spelled}${otherPort === undefined ? (port ?? "") : `:${otherPort}`}`;
  };
  const expected = port === undefined ? idOf(host) : idOf(host, Number(port.slice(1)));
  if (expected !== selfId) {
    throw invalidArgument(
      `the node id must be spelled as other nodes derive it from DNS, ${describe(expected)}, because placement hashes the text, got ${describe(selfId)}`,
    );
  }
  return { family, hasPort: port !== undefined, idOf };
}

/** The normal form of a host: lower case, IPv6 in its shortest form. Undefined for an invalid host. */
function normalizedHost(host: string): string | undefined {
  if (isIPv4(host)) return host === "0.0.0.0" ? undefined : host;
  if (isIPv6(host)) {
    if (host.includes("%")) return undefined;
    const spelled = new URL(`http://[${host}]`).hostname;
    return spelled === "[::]" ? undefined : spelled;
  }
  return isHostName(host) ? host.replace(/\.$/, "").toLowerCase() : undefined;
}

/** Whether a text is a DNS name: labels of letters, digits, `-` and `_`, with or without a trailing dot. */
export function isHostName(name: string): boolean {
  const labels = name.replace(/\.$/, "").toLowerCase().split(".");
  return name.length <= longestName && labels.every((label) => labelShape.test(label));
}
