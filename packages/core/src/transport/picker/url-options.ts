import { discoveryOption } from "../../discovery/followed-peers.ts";
import type { PeerDiscovery } from "../../discovery/peer-discovery.ts";
import { describe, invalidArgument, knownOptions, type OptionNames } from "../../option-checks.ts";
import type { NodeBuffer } from "../wire/node-buffer.ts";
import { checkMembership, type Membership, type NodeIds } from "./membership.ts";
import type { PeerWarning } from "./peer-options.ts";

/** TLS settings, for connections to peers and from them. Certificates and keys are PEM. */
export interface PeerTlsOptions {
  /** Trusted certificate authorities. Defaults to those that Node trusts. */
  readonly ca?: string | NodeBuffer | readonly (string | NodeBuffer)[];
  /** The certificate that this node presents. Needs `key`. Peers must then present one, too. */
  readonly cert?: string | NodeBuffer;
  /** The private key of `cert`. */
  readonly key?: string | NodeBuffer;
  /** Decrypts `key`. */
  readonly passphrase?: string;
  /** Whether a peer must present a client certificate. Defaults to true when `cert` is given. */
  readonly requireClientCertificate?: boolean;
  /** The name that a peer's certificate must be for. Defaults to the host of the peer's URL. */
  readonly serverName?: string;
}

/** Options of a transport whose node ids are URLs. */
export interface UrlPeerOptions {
  /** The URL at which peers reach this node: one of `peerUrls`, or as `discovery` finds it, spelled the same. */
  readonly selfUrl: string;
  /** The URLs of all nodes, this one included; the same list on every node. With `discovery`, the initial list, which defaults to this node alone. */
  readonly peerUrls?: readonly string[];
  /** Keeps the list of nodes current, such as `createDnsDiscovery({ name: "parsec-peers" })`. Calling `updatePeers` ends it. */
  readonly discovery?: PeerDiscovery | undefined;
  /** Certificates for encrypted URLs. */
  readonly tls?: PeerTlsOptions;
}

/** The fields of {@link UrlPeerOptions}, for the check of unknown options with `knownOptions`. */
export const urlOptionNames: OptionNames<UrlPeerOptions> = {
  selfUrl: 1,
  peerUrls: 1,
  discovery: 1,
  tls: 1,
};

/** {@link UrlPeerOptions} after checks, with all defaults filled in. */
export interface ResolvedUrlPeers {
  readonly membership: Membership;
  readonly discovery: PeerDiscovery | undefined;
  readonly tls: PeerTlsOptions | undefined;
  readonly requireClientCertificate: boolean;
  /** Checks the `peerUrls` of an update by the same rules. Throws `INVALID_ARGUMENT`. */
  readonly checkIds: (peerUrls: readonly string[]) => readonly string[];
}

/** The URLs of a transport: their syntax, and which are encrypted. */
export interface UrlSpelling extends NodeIds {
  /** The scheme that `tls` requires, such as `https:`. */
  readonly secureScheme: string;
  /** Whether the scheme of the URL means no encryption. */
  isPlain(url: string): boolean;
}

/** Checks and completes the options. Throws `INVALID_ARGUMENT` with the option and the rule. */
export function resolveUrlPeers(options: UrlPeerOptions, spelling: UrlSpelling): ResolvedUrlPeers {
  const { selfUrl } = options;
  const discovery = discoveryOption(options.discovery);
  const tls = checkTls(options.tls);
  const check = (peerUrls: readonly string[] | undefined): Membership => {
    const membership = checkMembership({ selfUrl, peerUrls }, spelling);
    // Without encryption the certificates would silently have no effect.
    const plain = tls && membership.ids.find((id) => spelling.isPlain(id));
    if (plain === undefined) return membership;
    throw invalidArgument(
      `tls needs ${spelling.secureScheme} URLs for all nodes, got ${describe(plain)}`,
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

/** Warns at start, because otherwise the mistake shows only as refused requests on other nodes. `host` is this node's. */
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
      "set secret or tls.cert: without them, peers on other machines are refused (UNAUTHENTICATED)",
  });
}

function checkTls(tls: PeerTlsOptions | undefined): PeerTlsOptions | undefined {
  if (tls === undefined) return undefined;
  if (typeof tls !== "object" || tls === null) {
    throw invalidArgument(`tls must be an object with ca, cert and key, got ${describe(tls)}`);
  }
  knownOptions("tls", tls, {
    ca: 1,
    cert: 1,
    key: 1,
    passphrase: 1,
    requireClientCertificate: 1,
    serverName: 1,
  });
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalidArgument("tls.cert and tls.key must be given together");
  }
  const { serverName } = tls;
  if (serverName !== undefined && (typeof serverName !== "string" || serverName === "")) {
    throw invalidArgument(`tls.serverName must be a non-empty string, got ${describe(serverName)}`);
  }
  return tls;
}
