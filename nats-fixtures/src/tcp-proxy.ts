import { connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";
import { createPublishedFilter } from "./published-filter.ts";

/** A proxy between a client and a NATS server that partitions them, loses messages or changes counts. */
export interface TcpProxy {
  readonly url: string;
  /** Stops forwarding in both directions, without notice to either end. */
  partition(): void;
  /**
   * Forwards new connections again. With `lost`, the default, earlier connections stay cut, and both ends must
   * detect that by themselves. With `late` they continue, and data in flight arrives late.
   */
  heal(underWay?: "lost" | "late"): void;
  /** Returns whether messages of the client to a subject are lost. Defaults to none. */
  loses: (subject: string) => boolean;
  /** Number of lost messages. */
  lost: number;
  /** Whether a pending count of 0 of a consumer is changed to 1 in the server's messages. */
  miscounts: boolean;
  /** Number of changed counts. */
  miscounted: number;
  close(): Promise<void>;
}

/** A connection of a client with its connection to the server. */
interface Line {
  readonly sockets: readonly Socket[];
  /** Starts to forward, and continues after `cut`. */
  pass(): void;
  cut(): void;
}

/** Starts a proxy to a NATS server on a port of 127.0.0.1. */
export async function startTcpProxy(port: number): Promise<TcpProxy> {
  const lines = new Set<Line>();
  let partitioned = false;
  const keep = (line: Line): void => {
    lines.add(line);
    for (const socket of line.sockets) {
      socket.on("error", () => {});
      socket.on("close", () => {
        // During a partition, one end does not learn that the other has closed.
        if (partitioned) return;
        lines.delete(line);
        for (const each of line.sockets) each.destroySoon();
      });
    }
  };
  const server = createServer((client) => {
    // A client that connects during a partition gets no answer, and no refusal.
    const line = partitioned ? unansweredLine(client) : lineTo(port, client, proxy);
    keep(line);
    line.pass();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const proxy: TcpProxy = {
    loses: () => false,
    lost: 0,
    miscounts: false,
    miscounted: 0,
    url: `nats://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`,
    partition() {
      partitioned = true;
      for (const line of lines) line.cut();
    },
    heal(underWay = "lost") {
      partitioned = false;
      if (underWay === "late") for (const line of lines) line.pass();
    },
    close() {
      for (const { sockets } of lines) for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}

function unansweredLine(client: Socket): Line {
  client.pause();
  let isNew = true;
  return {
    sockets: [client],
    pass() {
      if (!isNew) client.destroy();
      isNew = false;
    },
    cut() {},
  };
}

function lineTo(port: number, client: Socket, proxy: TcpProxy): Line {
  const upstream = connect(port, "127.0.0.1");
  const published = createPublishedFilter((subject) => {
    const isLost = proxy.loses(subject);
    if (isLost) proxy.lost++;
    return isLost;
  });
  const delivered = createMiscount(proxy);
  published.pipe(upstream);
  delivered.pipe(client);
  return {
    sockets: [client, upstream],
    pass() {
      // A side that ended while cut ends the other now.
      if (client.destroyed || upstream.destroyed) {
        client.destroy();
        upstream.destroy();
        return;
      }
      client.pipe(published);
      upstream.pipe(delivered);
    },
    cut() {
      for (const socket of [client, upstream]) socket.unpipe().pause();
    },
  };
}

function createMiscount(proxy: TcpProxy): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (!proxy.miscounts) return done(null, chunk);
      const text = chunk.toString("latin1").replace(/(\$JS\.ACK\.\S+\.)0 /g, (_, before) => {
        proxy.miscounted++;
        return `${before}1 `;
      });
      done(null, Buffer.from(text, "latin1"));
    },
  });
}
