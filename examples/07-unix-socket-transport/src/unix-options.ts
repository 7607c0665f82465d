import { normalize } from "node:path";
import type { PeerDiscovery } from "@parsec/core";
import { describe, invalidArgument } from "@parsec/core/authoring";
import {
  checkMembership,
  discoveryOption,
  type Membership,
  type PeerLimits,
  type PeerOptions,
  type PeerWarning,
  type ResolvedPeerOptions,
  resolvePeerLimits,
  resolvePeerOptions,
} from "@parsec/core/transport";

/** Options of `createUnixPeers`. Without `secret`: the mode of the socket's file says who may connect. */
export interface UnixPeersOptions extends Omit<PeerOptions<PeerWarning>, "secret" | "workers"> {
  /** This node, as `unix:` and the absolute path of its socket: one of `peerUrls`, in the same spelling. */
  readonly selfUrl: string;
  /** Every node, this one included, the same on every node. Defaults to this node alone with `discovery`. */
  readonly peerUrls?: readonly string[];
  /** Finds the nodes while they run. `updatePeers` ends it. */
  readonly discovery?: PeerDiscovery | undefined;
}

/** {@link UnixPeersOptions}, each with its value. */
export interface ResolvedUnixOptions extends ResolvedPeerOptions<PeerWarning> {
  readonly membership: Membership;
  readonly discovery: PeerDiscovery | undefined;
  readonly limits: PeerLimits;
}

/** Checks and completes the options. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolveUnixOptions(options: UnixPeersOptions): ResolvedUnixOptions {
  const common = resolvePeerOptions(options);
  if (common.secrets.length > 0) {
    throw invalidArgument(
      "secret must be left out: the mode of the socket's file says who may connect",
    );
  }
  const { selfUrl, peerUrls } = options;
  const discovery = discoveryOption(options.discovery);
  return {
    ...common,
    discovery,
    limits: resolvePeerLimits(options.limits ?? {}),
    membership: checkSockets({ selfUrl, peerUrls: peerUrls ?? (discovery && [selfUrl]) }),
  };
}

/** Checks the nodes of a cluster. Their text is what placement hashes. */
export function checkSockets(given: Parameters<typeof checkMembership>[0]): Membership {
  return checkMembership(given, {
    noun: "URLs of sockets",
    check(name, text) {
      if (typeof text === "string" && /^unix:\/[^\0]*[^\0/]$/.test(text)) {
        // Linux keeps a path in 108 bytes, macOS in 104, the last of which is 0.
        if (Buffer.byteLength(pathOf(text)) < 104) return text;
      }
      const rule = "must be unix: and an absolute path of at most 103 bytes";
      throw invalidArgument(`${name} ${rule}, got ${describe(text)}`);
    },
    normalForm: (url) => normalize(pathOf(url)),
  });
}

export function pathOf(url: string): string {
  return url.slice("unix:".length);
}
