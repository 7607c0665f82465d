import { connect, createServer, type Socket } from "node:net";

/** A proxy between a client and a server that can cut the connection between them. */
export interface TcpProxy {
  readonly port: number;
  /** Stops forwarding in both directions, without notice to either end. */
  cut(): void;
  /** Forwards again, and delivers late what was in flight. */
  heal(): void;
  close(): Promise<void>;
}

/** A client's connection and the one to the server, which is missing when the client connected while cut. */
interface Pair {
  readonly client: Socket;
  upstream: Socket | undefined;
}

/** Starts a proxy to a port of 127.0.0.1. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let isCut = false;
  const end = (pair: Pair): void => {
    // While cut, the end of one side is hidden from the other until `heal`.
    if (isCut) return;
    pair.client.destroy();
    pair.upstream?.destroy();
    pairs.delete(pair);
  };
  const watch = (socket: Socket, pair: Pair): void => {
    socket.on("error", () => socket.destroy());
    socket.on("close", () => end(pair));
  };
  const pass = (pair: Pair): void => {
    if (pair.client.destroyed || pair.upstream?.destroyed) {
      end(pair);
      return;
    }
    if (pair.upstream === undefined) {
      pair.upstream = connect(targetPort, "127.0.0.1");
      watch(pair.upstream, pair);
    }
    pair.client.pipe(pair.upstream);
    pair.upstream.pipe(pair.client);
  };
  const server = createServer((client) => {
    const pair: Pair = { client, upstream: undefined };
    pairs.add(pair);
    watch(client, pair);
    // A client that connects while cut gets no answer, and no refusal.
    if (!isCut) pass(pair);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    cut() {
      isCut = true;
      for (const { client, upstream } of pairs) {
        for (const socket of [client, upstream]) socket?.unpipe().pause();
      }
    },
    heal() {
      isCut = false;
      for (const pair of pairs) pass(pair);
    },
    close() {
      isCut = false;
      for (const pair of pairs) end(pair);
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
