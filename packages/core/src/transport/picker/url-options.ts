import { discoveryOption } from "../../discovery/followed-peers.ts";
import type { PeerDiscovery } from "../../discovery/peer-discovery.ts";
import { describe, invalidArgument } from "../../option-checks.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";
import { checkMembership, type Membership, type NodeIds } from "./membership.ts";
import type { PeerWarning } from "./peer-options.ts";

/** Certificates, as PEM. They encrypt connections to peers, and from them. */
export interface PeerTlsOptions {
  /** Trusted authorities. Defaults to those that Node trusts. */
  readonly ca?: string | NodeBuffer | readonly (string | NodeBuffer)[];
  /** The certificate that this node shows. With it, peers must show theirs as well. */
  readonly cert?: string | NodeBuffer;
  readonly key?: string | NodeBuffer;
  readonly passphrase?: string;
  /** Whether a peer must show a certificate. Defaults to true when `cert` is given. */
  readonly requireClientCertificate?: boolean;
  /** The name to look for in a peer's certificate. Defaults to the host of its URL. */
  readonly serverName?: string;
}

/** Options of a transport whose nodes are called by their URLs. */
export interface UrlPeerOptions {
  /** This node, as its peers reach it: one of `peerUrls`, or as `discovery` finds it, in the same spelling. */
  readonly selfUrl: string;
  /** Every node, this one included. The same list on every node. With `discovery` only the beginning, this node alone by default. */
  readonly peerUrls?: readonly string[];
  /** Finds the nodes while they run, such as `createDnsDiscovery({ name: "parsec-peers" })`. `updatePeers` ends it. */
  readonly discovery?: PeerDiscovery | undefined;
  readonly tls?: PeerTlsOptions;
}

/** {@link UrlPeerOptions}, checked. */
export interface ResolvedUrlPeers {
  readonly membership: Membership;
  readonly discovery: PeerDiscovery | undefined;
  readonly tls: PeerTlsOptions | undefined;
  readonly requireClientCertificate: boolean;
  /** Checks a later `peerUrls` as the first one was. Throws `INVALID_ARGUMENT`. */
  readonly checkIds: (peerUrls: readonly string[]) => readonly string[];
}

/** How a transport spells URLs, and which of them are encrypted. */
export interface UrlSpelling extends NodeIds {
  /** The scheme to take with `tls`, such as `https:`. */
  readonly secureScheme: string;
  /** Whether the URL says that the connection is not encrypted. */
  isPlain(url: string): boolean;
}

/** Checks and completes the options. Throws `INVALID_ARGUMENT` that names the option and the rule. */
export function resolveUrlPeers(options: UrlPeerOptions, spelling: UrlSpelling): ResolvedUrlPeers {
  const { selfUrl } = options;
  const discovery = discoveryOption(options.discovery);
  const tls = checkTls(options.tls);
  const check = (peerUrls: readonly string[] | undefined): Membership => {
    const membership = checkMembership({ selfUrl, peerUrls }, spelling);
    // Certificates have no effect on a connection without encryption, which would go unnoticed.
    const plain = tls && membership.ids.find((id) => spelling.isPlain(id));
    if (plain === undefined) return membership;
    throw invalidArgument(
      `tls is given, but ${describe(plain)} is not encrypted; use ${spelling.secureScheme}`,
    );
  };
  return {
    membership: check(options.peerUrls ?? (discovery && [selfUrl])),
    discovery,
    tls,
    requireClientCertificate: tls?.requireClientCertificate ?? tls?.cert !== undefined,
    checkIds: (peerUrls) => check(peerUrls).ids,
  };
}

/** Reports at once what would otherwise show as refused requests on other nodes. `host` is this node's own. */
export function warnIfUnprotected(
  options: {
    readonly membership: Membership;
    readonly secrets: readonly string[];
    readonly requireClientCertificate: boolean;
    readonly insecure: boolean;
    readonly onWarning: (warning: PeerWarning) => void;
  },
  host: string,
): void {
  const { secrets, requireClientCertificate, insecure, membership, onWarning } = options;
  if (secrets.length > 0 || requireClientCertificate || insecure) return;
  if (/^(?:localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(host)) return;
  onWarning({
    kind: "unprotected",
    peerId: membership.selfId,
    message:
      "neither secret nor client certificates: peers on other machines will be refused (UNAUTHENTICATED)",
  });
}

function checkTls(tls: PeerTlsOptions | undefined): PeerTlsOptions | undefined {
  if (tls === undefined) return undefined;
  if (typeof tls !== "object" || tls === null) {
    throw invalidArgument(`tls must be an object with ca, cert and key, got ${describe(tls)}`);
  }
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalidArgument("tls.cert and tls.key must be given together");
  }
  const { serverName } = tls;
  if (serverName !== undefined && (typeof serverName !== "string" || serverName === "")) {
    throw invalidArgument(`tls.serverName must be a name, got ${describe(serverName)}`);
  }
  return tls;
}
