import { connect, createServer, type Socket } from "node:net";

/** A TCP proxy whose connections can be made to swallow everything, as behind a firewall that forgot them. */
export interface BlackHoleProxy {
  /** Its port on 127.0.0.1. */
  readonly port: number;
  /** How many connections were opened through it. */
  readonly connections: number;
  /**
   * From now on the open connections pass nothing in either direction, without an error; connections opened later
   * work. `count` takes only the oldest ones. Defaults to all.
   */
  swallow(count?: number): void;
  close(): Promise<void>;
}

interface Line {
  readonly sockets: readonly Socket[];
  swallows: boolean;
}

/** Starts a {@link BlackHoleProxy} in front of a server on a port of 127.0.0.1. */
export async function startBlackHoleProxy(targetPort: number): Promise<BlackHoleProxy> {
  const lines: Line[] = [];
  const server = createServer((client) => {
    const target = connect(targetPort, "127.0.0.1");
    const line: Line = { sockets: [client, target], swallows: false };
    lines.push(line);
    const pass = (from: Socket, to: Socket): void => {
      from.on("data", (chunk) => {
        if (!line.swallows) to.write(chunk);
      });
      from.on("error", () => {});
      from.on("close", () => {
        if (!line.swallows) to.destroy();
      });
    };
    pass(client, target);
    pass(target, client);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { readonly port: number }).port,
    get connections() {
      return lines.length;
    },
    swallow(count = lines.length) {
      for (const line of lines.slice(0, count)) line.swallows = true;
    },
    async close() {
      for (const { sockets } of lines) for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
