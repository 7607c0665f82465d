import { FollowedPeers, type PeerHost, type PeerPicker } from "@parsec/core";
import { checkHttpClient } from "./http-connections.ts";
import { HttpHandler, type HttpPeersHandler } from "./http-handler.ts";
import {
  type HttpPeersOptions,
  type ResolvedHttpOptions,
  resolveHttpOptions,
} from "./http-options.ts";
import { checkSchemes, HttpPicker } from "./http-picker.ts";

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
  checkSchemes(resolved.membership.ids, resolved);
  const handler = new HttpHandler(resolved);
  const picker = new HttpPicker(resolved);
  const followed = followedBy(picker, resolved);
  warnIfUnprotected(resolved);
  let closing: Promise<void> | undefined;
  return {
    selfId: picker.selfId,
    peers: () => picker.peers(),
    pick: (key, without) => picker.pick(key, without),
    updatePeers: (ids) => followed.updatePeers(ids),
    attach: (host: PeerHost) => handler.attach(host),
    handler: (request, response, next) => handler.handle(request, response, next),
    close() {
      closing ??= Promise.all([followed.close(), handler.close(), picker.close()]).then(() => {});
      return closing;
    },
  };
}

function followedBy(picker: HttpPicker, options: ResolvedHttpOptions): FollowedPeers {
  const { discovery, onWarning } = options;
  return new FollowedPeers(picker, {
    discovery,
    onWarning: (message) => onWarning({ kind: "discovery", peerId: picker.selfId, message }),
  });
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
