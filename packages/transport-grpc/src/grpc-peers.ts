import type { Server } from "@grpc/grpc-js";
import { ParsecError, type PeerHost, type PeerPicker } from "@parsec/core";
import { createPeerSet, warnIfUnprotected } from "@parsec/core/transport";
import { createGrpcPeer } from "./client/grpc-peer.ts";
import { type GrpcPeersOptions, resolveGrpcOptions } from "./grpc-options.ts";
import { addressOf } from "./grpc-urls.ts";
import { GrpcHandler } from "./server/grpc-handler.ts";
import { type GrpcAddress, GrpcServer } from "./server/grpc-server.ts";

/** The peers of a node over gRPC. Give it to a registry or cache as `peers`, and have it listen. */
export interface GrpcPeers extends PeerPicker {
  /**
   * Serves the peers on a server of its own, at the port of `selfUrl` unless told otherwise. Resolves
   * with the address bound; rejects with `INVALID_ARGUMENT` when that is not possible.
   */
  listen(where?: { readonly host?: string; readonly port?: number }): Promise<GrpcAddress>;
  /** Where {@link listen} has bound. */
  readonly address: GrpcAddress | undefined;
  /**
   * Serves the peers on a server of yours instead, with `grpc.health.v1` unless `health` is false.
   * Its credentials and message limits are yours to set; `close` leaves it open.
   */
  addTo(server: Server, options?: { readonly health?: boolean }): void;
}

/**
 * Connects this node with others over gRPC. Opens no port: call `listen`, or `addTo` a server of
 * yours. Throws `INVALID_ARGUMENT` when the options do not fit together, such as a `selfUrl` that is
 * not among `peerUrls`.
 */
export function createGrpcPeers(options: GrpcPeersOptions): GrpcPeers {
  const resolved = resolveGrpcOptions(options);
  const handler = new GrpcHandler(resolved);
  const { membership } = resolved;
  const peers = createPeerSet({
    ...resolved,
    ...membership,
    createPeer: (id, onChange) => createGrpcPeer(id, resolved, onChange),
  });
  let server: GrpcServer | undefined;
  let closing: Promise<void> | undefined;
  warnIfUnprotected(resolved, addressOf(membership.selfId).host);
  const close = async (): Promise<void> => {
    await Promise.all([handler.close(), peers.close()]);
    await server?.close();
  };
  return {
    ...peers,
    attach: (host: PeerHost) => handler.attach(host),
    async listen(where = {}) {
      if (closing !== undefined) throw new ParsecError("CLOSED", "the peers were closed");
      server ??= new GrpcServer(resolved, handler);
      return await server.listen(where);
    },
    get address() {
      return server?.address;
    },
    addTo(target, { health = true } = {}) {
      handler.addTo(target, { health });
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}
