import { connect, createServer, type Socket } from "node:net";
import { Transform } from "node:stream";
import { createPublishedFilter } from "./published-filter.ts";

/** Stands between a client and a NATS server, to cut the one off from the other. */
export interface TcpProxy {
  readonly url: string;
  /** From now on nothing passes, in either direction, and nobody is told. */
  partition(): void;
  /**
   * What comes from now on passes again. Connections of before stay cut off, and their ends have to find that
   * out for themselves, unless what was under way is to arrive after all: `late`.
   */
  heal(underWay?: "lost" | "late"): void;
  /** Messages of the client's to subjects that this names do not arrive. */
  loses: (subject: string) => boolean;
  /** How many did not. */
  lost: number;
  /** Whether the server's counts of what a consumer has pending arrive as one where they are none. */
  miscounts: boolean;
  /** How many were changed. */
  miscounted: number;
  close(): Promise<void>;
}

/** One connection of a client, and the one made to the server for it. */
interface Line {
  readonly sockets: readonly Socket[];
  /** Begins, and goes on after `cut`. */
  pass(): void;
  cut(): void;
}

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
    // A connection attempt in a partition is not refused: it is not answered.
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
      // One that ended while it was cut off tells the other now.
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
