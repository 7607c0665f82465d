import { connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";

/** Stands between a client and a server, to cut the one off from the other. */
export interface TcpProxy {
  readonly url: string;
  /** From now on nothing passes, in either direction, and nobody is told. */
  partition(): void;
  /** What comes from now on passes again; what was connected before stays cut off. */
  heal(): void;
  /** Whether the server's counts of what a consumer has pending arrive as one where they are none. */
  miscounts: boolean;
  /** How many were changed. */
  miscounted: number;
  close(): Promise<void>;
}

export async function startTcpProxy(port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let partitioned = false;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  };
  const server = createServer((client) => {
    keep(client);
    // A connection attempt in a partition is not refused: it is not answered.
    if (partitioned) {
      client.pause();
      return;
    }
    const upstream = connect(port, "127.0.0.1");
    keep(upstream);
    client.pipe(upstream);
    const miscount = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        if (!proxy.miscounts) return done(null, chunk);
        const text = chunk.toString("latin1").replace(/(\$JS\.ACK\.\S+\.)0 /g, (_, before) => {
          proxy.miscounted++;
          return `${before}1 `;
        });
        done(null, Buffer.from(text, "latin1"));
      },
    });
    upstream.pipe(miscount).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const proxy: TcpProxy = {
    miscounts: false,
    miscounted: 0,
    url: `nats://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`,
    partition() {
      partitioned = true;
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
    heal() {
      partitioned = false;
    },
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}
