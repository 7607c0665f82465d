import { connect, createServer, type Socket } from "node:net";

/** Stands between a client and a server, to cut the one off from the other. */
export interface TcpProxy {
  readonly port: number;
  /** From now on nothing passes, in either direction, and nobody is told. */
  cut(): void;
  /** What was under way arrives now, late, and everything passes again. */
  heal(): void;
  close(): Promise<void>;
}

/** A client's connection, and the one that was made for it; none for who came while all was cut. */
interface Pair {
  readonly client: Socket;
  upstream: Socket | undefined;
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let isCut = false;
  const end = (pair: Pair): void => {
    // Who ended while the other could not know of it is not known to have ended before the healing.
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
    // An attempt to connect while all is cut is not refused: it is not answered.
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
