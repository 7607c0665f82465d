import type { IncomingMessage, ServerResponse } from "node:http";
import type { PeerHost, PeerPicker } from "@parsec/core";
import {
  createPeerSet,
  createWorkers,
  joinWorkers,
  type ManagedPeer,
} from "@parsec/core/transport";
import { checkHttpClient } from "./client/http-connections.ts";
import { createHttpGoPeer } from "./client/http-go-peer.ts";
import { createHttpPeer } from "./client/http-peer.ts";
import { type HttpPeersOptions, resolveHttpOptions } from "./http-options.ts";
import { HttpHandler, type HttpPeersHandler } from "./server/http-handler.ts";

/** The peers of a node over HTTP. Pass it to a registry or cache as `peers`, and mount `handler` on an HTTP server. */
export interface HttpPeers extends PeerPicker {
  /** Answers requests from peers under `basePath`. Mount it before any body parser. */
  readonly handler: HttpPeersHandler;
}

/**
 * Connects this node to its peers over HTTP. Does not listen: mount `handler` on your server.
 * Throws `INVALID_ARGUMENT` for invalid options, such as a `selfUrl` that is not among `peerUrls`.
 */
export function createHttpPeers(options: HttpPeersOptions): HttpPeers {
  checkHttpClient();
  const resolved = resolveHttpOptions(options);
  const { membership, peerWire } = resolved;
  const handler = new HttpHandler(resolved);
  const peers = createPeerSet<ManagedPeer>({
    ...resolved,
    ...membership,
    createPeer: (id, onChange) =>
      peerWire === "golang"
        ? createHttpGoPeer(id, resolved, onChange)
        : createHttpPeer(id, resolved, onChange),
  });
  const workers = createWorkers({
    ...resolved,
    selfId: membership.selfId,
    scope: `http ${resolved.basePath}`,
  });
  const close = async (): Promise<void> => {
    workers.leave();
    await Promise.all([handler.close(), peers.close()]);
    await workers.close();
  };
  let closing: Promise<void> | undefined;
  return Object.assign(joinWorkers(peers, workers), {
    attach: (host: PeerHost) => handler.attach(workers.attach(host)),
    handler: ((request, response, next) =>
      handler.handle(
        request as IncomingMessage,
        response as ServerResponse,
        next,
      )) satisfies HttpPeersHandler,
    close() {
      closing ??= close();
      return closing;
    },
  });
}
