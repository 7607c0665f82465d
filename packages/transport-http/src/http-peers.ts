import type { PeerHost, PeerPicker } from "@parsec/core";
import { createPeerSet, type ManagedPeer } from "@parsec/core/transport";
import { checkHttpClient } from "./client/http-connections.ts";
import { createHttpGoPeer } from "./client/http-go-peer.ts";
import { createHttpPeer } from "./client/http-peer.ts";
import {
  type HttpPeersOptions,
  type ResolvedHttpOptions,
  resolveHttpOptions,
} from "./http-options.ts";
import { checkMembership, checkSchemes } from "./http-urls.ts";
import { HttpHandler, type HttpPeersHandler } from "./server/http-handler.ts";

/** The peers of a node over HTTP. Give it to a registry or cache as `peers`, and its handler to a server. */
export interface HttpPeers extends PeerPicker {
  /** Serves the peers. Mount it before any body parser, at the path it was given as `basePath`. */
  readonly handler: HttpPeersHandler;
}

/**
 * Connects this node with others over HTTP. Opens no port: mount `handler` on a server of yours.
 * Throws `INVALID_ARGUMENT` when the options do not fit together, such as a `selfUrl` that is not among `peerUrls`.
 */
export function createHttpPeers(options: HttpPeersOptions): HttpPeers {
  checkHttpClient();
  const resolved = resolveHttpOptions(options);
  const { membership, placement, discovery, peerWire, onWarning } = resolved;
  const handler = new HttpHandler(resolved);
  const peers = createPeerSet<ManagedPeer>({
    ...membership,
    placement,
    discovery,
    onWarning,
    checkIds(peerUrls) {
      const { ids } = checkMembership({ selfUrl: membership.selfId, peerUrls });
      checkSchemes(ids, resolved.tls);
      return ids;
    },
    createPeer: (id, onChange) =>
      peerWire === "golang"
        ? createHttpGoPeer(id, resolved, onChange)
        : createHttpPeer(id, resolved, onChange),
  });
  warnIfUnprotected(resolved);
  let closing: Promise<void> | undefined;
  return {
    ...peers,
    attach: (host: PeerHost) => handler.attach(host),
    handler: (request, response, next) => handler.handle(request, response, next),
    close() {
      closing ??= Promise.all([handler.close(), peers.close()]).then(() => {});
      return closing;
    },
  };
}

/** Says at once what would otherwise show as refused requests on other nodes. */
function warnIfUnprotected(options: ResolvedHttpOptions): void {
  const { secrets, requireClientCertificate, insecure, membership, onWarning } = options;
  if (secrets.length > 0 || requireClientCertificate || insecure) return;
  const { hostname } = new URL(membership.selfId);
  if (/^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)) return;
  onWarning({
    kind: "unprotected",
    peerId: membership.selfId,
    message:
      "neither secret nor client certificates: peers on other machines will be refused with 401",
  });
}
