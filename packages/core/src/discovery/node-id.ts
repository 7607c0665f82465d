import { isIPv4, isIPv6 } from "node:net";
import { describe, invalidArgument } from "../option-checks.ts";

/** How the nodes of a cluster are called, learnt from how one of them is. */
export interface NodeIdFormat {
  /** Which addresses its nodes are called by; undefined when they are called by names. */
  readonly family: 4 | 6 | undefined;
  /** Whether an id says the port. */
  readonly hasPort: boolean;
  /** The id of the node at this host; at the same port unless another is given. Undefined for what is no host. */
  idOf(host: string, port?: number): string | undefined;
}

const idShape = /^((?:[a-z][a-z0-9+.-]*:\/\/)?)(\[[0-9a-f:.]+\]|[^\s/:@?#[\]]+)(:\d{1,5})?$/i;
const labelShape = /^[a-z0-9_-]{1,63}$/;
const longestName = 253;

/** Throws `INVALID_ARGUMENT` when a node of this id cannot be found by records of this kind. */
export function checkedNodeId(selfId: string, record: "address" | "srv"): NodeIdFormat {
  const spelling = spellingOf(selfId);
  if (record === "address" && spelling.family === undefined) {
    throw invalidArgument(
      `DNS lists nodes by address, so this node must be called by its own, such as http://10.0.0.7:8080 (in Kubernetes: http://$(POD_IP):8080), got ${describe(selfId)}`,
    );
  }
  if (record === "srv" && !spelling.hasPort) {
    throw invalidArgument(
      `DNS lists nodes with their ports, so this node must name its own: ${describe(selfId)}`,
    );
  }
  return spelling;
}

/**
 * Reads an id such as `http://10.0.0.7:8080`, `10.0.0.7:50051` or `node-1`. Placement hashes the text, so
 * an id that other nodes would spell otherwise is refused as `INVALID_ARGUMENT`.
 */
function spellingOf(selfId: string): NodeIdFormat {
  const [, prefix = "", written, port] = idShape.exec(selfId) ?? [];
  if (written === undefined) {
    throw invalidArgument(
      `DNS finds nodes by host and port, which ${describe(selfId)} does not consist of; write IPv6 in brackets`,
    );
  }
  const host = written.replace(/^\[|\]$/g, "");
  const family = isIPv4(host) ? 4 : isIPv6(host) ? 6 : undefined;
  const idOf = (text: string, otherPort?: number): string | undefined => {
    const spelled = spelledHost(text);
    if (spelled === undefined) return undefined;
    return `${prefix}${spelled}${otherPort === undefined ? (port ?? "") : `:${otherPort}`}`;
  };
  const expected = port === undefined ? idOf(host) : idOf(host, Number(port.slice(1)));
  if (expected !== selfId) {
    throw invalidArgument(
      `this node is called ${describe(selfId)}, which others find by DNS as ${describe(expected)}; call it that, because the text places the keys`,
    );
  }
  return { family, hasPort: port !== undefined, idOf };
}

/** One text for each host: lower case, IPv6 in its shortest form. */
function spelledHost(host: string): string | undefined {
  if (isIPv4(host)) return host === "0.0.0.0" ? undefined : host;
  if (isIPv6(host)) {
    if (host.includes("%")) return undefined;
    const spelled = new URL(`http://[${host}]`).hostname;
    return spelled === "[::]" ? undefined : spelled;
  }
  return isHostName(host) ? host.replace(/\.$/, "").toLowerCase() : undefined;
}

/** Whether DNS may be asked for it: labels of letters, digits, `-` and `_`, the last dot or not. */
export function isHostName(name: string): boolean {
  const labels = name.replace(/\.$/, "").toLowerCase().split(".");
  return name.length <= longestName && labels.every((label) => labelShape.test(label));
}
