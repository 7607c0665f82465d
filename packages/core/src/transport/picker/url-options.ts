import { randomBytes } from "node:crypto";
import { discoveryOption } from "../../discovery/followed-peers.ts";
import type { PeerDiscovery } from "../../discovery/peer-discovery.ts";
import { isParsecError } from "../../errors.ts";
import { describe, invalidArgument, type OptionNames } from "../../option-checks.ts";
import { hostSecret } from "../host/host-secret.ts";
import { flagOption } from "./flag-option.ts";
import { checkMembership, type Membership, type NodeIds } from "./membership.ts";
import type { PeerWarning } from "./peer-options.ts";
import { checkCertificates, checkTls, type PeerTlsOptions } from "./tls-options.ts";

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
  /**
   * Answers single lookups from loopback without a signature, for `curl` or nodes of Go's groupcache on this
   * machine. Set it only where no proxy forwards to this node: what a proxy forwards comes from loopback, too.
   */
  readonly openLoopback?: true;
}

/** The fields of {@link UrlPeerOptions}, for the check of unknown options with `knownOptions`. */
export const urlOptionNames: OptionNames<UrlPeerOptions> = {
  selfUrl: 1,
  peerUrls: 1,
  discovery: 1,
  tls: 1,
  openLoopback: 1,
};

/** {@link UrlPeerOptions} after checks, with all defaults filled in. */
export interface ResolvedUrlPeers {
  readonly membership: Membership;
  readonly discovery: PeerDiscovery | undefined;
  readonly tls: PeerTlsOptions | undefined;
  readonly requireClientCertificate: boolean;
  /** The secrets given, or the one that processes of this host share when all nodes are on loopback and nothing else was given. */
  readonly secrets: readonly string[];
  readonly openLoopback: boolean;
  /** Checks the `peerUrls` of an update by the same rules. Throws `INVALID_ARGUMENT`. */
  readonly checkIds: (peerUrls: readonly string[]) => readonly string[];
}

/** The URLs of a transport: their syntax, and which are encrypted. */
export interface UrlSpelling extends NodeIds {
  /** The scheme that `tls` requires, such as `https:`. */
  readonly secureScheme: string;
  /** Whether the scheme of the URL means no encryption. */
  isPlain(url: string): boolean;
  /** The host of a URL that `check` has accepted, in lower case; IPv6 with or without brackets. */
  hostOf(url: string): string;
}

/** The common options that {@link resolveUrlPeers} needs, after checks. */
export interface UrlPeerCommon {
  readonly secrets: readonly string[];
  readonly insecure: boolean;
  readonly onWarning: (warning: PeerWarning) => void;
}

/**
 * Checks and completes the options, and warns when this node would answer nobody. Throws `INVALID_ARGUMENT` with
 * the option and the rule.
 */
export function resolveUrlPeers(
  options: UrlPeerOptions,
  { common, spelling }: { readonly common: UrlPeerCommon; readonly spelling: UrlSpelling },
): ResolvedUrlPeers {
  const { selfUrl } = options;
  const discovery = discoveryOption(options.discovery);
  const tls = checkTls(options.tls);
  const requireClientCertificate = tls?.requireClientCertificate ?? tls?.cert !== undefined;
  const check = (peerUrls: readonly string[] | undefined): Membership => {
    const membership = checkMembership({ selfUrl, peerUrls }, spelling);
    // Without encryption the certificates would silently have no effect.
    const plain = tls && membership.ids.find((id) => spelling.isPlain(id));
    if (plain === undefined) return membership;
    throw invalidArgument(
      `tls needs ${spelling.secureScheme} URLs for all nodes, got ${describe(plain)}`,
    );
  };
  const membership = check(options.peerUrls ?? (discovery && [selfUrl]));
  if (tls !== undefined) checkCertificates(tls);
  const isElsewhere = (id: string): boolean => !isLoopbackHost(spelling.hostOf(id));
  const isUnprotected =
    common.secrets.length === 0 && !common.insecure && !requireClientCertificate;
  const sharesHostSecret = isUnprotected && !membership.ids.some(isElsewhere);
  const warn = (rule: string): void =>
    common.onWarning({
      kind: "unprotected",
      peerId: membership.selfId,
      message: `${rule}: set secret (the same on all nodes), tls.cert and tls.key, or insecure: true`,
    });
  if (isUnprotected && !sharesHostSecret) {
    warn("this node answers no requests, because it cannot authenticate nodes on other machines");
  }
  return {
    membership,
    discovery,
    tls,
    requireClientCertificate,
    secrets: sharesHostSecret ? [secretOfHost(membership)] : common.secrets,
    openLoopback: flagOption("openLoopback", options.openLoopback),
    checkIds(peerUrls) {
      const { ids } = check(peerUrls);
      const elsewhere = sharesHostSecret ? ids.find(isElsewhere) : undefined;
      if (elsewhere !== undefined) {
        warn(
          `${elsewhere} does not share the secret of this host, and refuses this node's requests`,
        );
      }
      return ids;
    },
  };
}

/** A lone node works without a folder to write to, such as in a read-only container: it shares its secret with no process. */
function secretOfHost({ ids }: Membership): string {
  try {
    return hostSecret();
  } catch (error) {
    if (ids.length === 1) return randomBytes(32).toString("base64url");
    throw isParsecError(error) ? invalidArgument(`${error.message}; or set secret`) : error;
  }
}

/** Whether a host name or IP address in lower case means this machine, by its text alone. */
export function isLoopbackHost(host: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[?(?:::1|::ffff:127(?:\.\d{1,3}){3})\]?)$/.test(
    host,
  );
}
