import type { Server } from "@grpc/grpc-js";
import { ParsecError, type PeerHost, type PeerPicker } from "@parsec/core";
import { createPeerSet, createWorkers, joinWorkers } from "@parsec/core/transport";
import { createGrpcPeer } from "./client/grpc-peer.ts";
import { type GrpcPeersOptions, resolveGrpcOptions } from "./grpc-options.ts";
import { GrpcHandler } from "./server/grpc-handler.ts";
import { type GrpcAddress, GrpcServer } from "./server/grpc-server.ts";

/** The peers of a node over gRPC. Pass it to a registry or cache as `peers`, and call `listen` or `addTo`. */
export interface GrpcPeers extends PeerPicker {
  /**
   * Starts a gRPC server for peers. `host` and `port` default to those of `selfUrl`. Resolves with the
   * bound address; rejects with `INVALID_ARGUMENT` when it cannot be bound, and `CLOSED` after `close`.
   */
  listen(where?: { readonly host?: string; readonly port?: number }): Promise<GrpcAddress>;
  /** The address bound by {@link listen}; undefined before. */
  readonly address: GrpcAddress | undefined;
  /**
   * Adds the services for peers to your gRPC server instead, with `grpc.health.v1` unless `health` is
   * false. You set its credentials and message limits; `close` does not close it.
   */
  addTo(server: Server, options?: { readonly health?: boolean }): void;
}

/**
 * Connects this node to its peers over gRPC. Does not listen: call `listen`, or `addTo` with your
 * server. Throws `INVALID_ARGUMENT` for invalid options, such as a `selfUrl` that is not among `peerUrls`.
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
  const workers = createWorkers({ ...resolved, selfId: membership.selfId, scope: "grpc" });
  const members = joinWorkers(peers, workers);
  const close = async (): Promise<void> => {
    workers.leave();
    await Promise.all([handler.close(), peers.close()]);
    await Promise.all([workers.close(), server?.close()]);
  };
  return {
    ...members,
    get joining() {
      return workers.joining;
    },
    attach: (host: PeerHost) => handler.attach(workers.attach(host)),
    async listen(where = {}) {
      if (closing !== undefined) throw new ParsecError("CLOSED", "peers were closed");
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
