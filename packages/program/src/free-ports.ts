import { createServer, type Server } from "node:net";
import { invalidArgument } from "@parsec/core/authoring";

/** A requested port. */
export interface WantedPort {
  /** 0 for any free port. */
  readonly port: number;
  /** The flag that changes it, for errors. */
  readonly flag: string;
}

/** The address on which local clusters listen. */
export const loopbackHost = "127.0.0.1";

/**
 * Returns a free port for each requested one, all different, before anything is started. Rejects with
 * `INVALID_ARGUMENT` that lists every port in use and the flag that changes it.
 */
export async function claimPorts(wanted: readonly WantedPort[]): Promise<readonly number[]> {
  const servers: (Server | undefined)[] = [];
  const busy = new Map<string, number[]>();
  try {
    // Kept open together, so that all are different.
    for (const { port, flag } of wanted) {
      const server = await tryListen(port);
      servers.push(server);
      if (server === undefined) busy.set(flag, [...(busy.get(flag) ?? []), port]);
    }
    if (busy.size > 0) {
      throw invalidArgument([...busy].map(describeBusy).join("; "));
    }
    return servers.map(portOf);
  } finally {
    await Promise.all(servers.map((server) => server && close(server)));
  }
}

function describeBusy([flag, ports]: readonly [string, readonly number[]]): string {
  return ports.length === 1
    ? `port ${ports[0]} is in use: choose another with ${flag}`
    : `ports ${ports.join(", ")} are in use: choose others with ${flag}`;
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: loopbackHost }, () => resolve(server));
  });
}

function portOf(server: Server | undefined): number {
  const address = server?.address();
  if (typeof address !== "object" || address === null) throw new Error("server is not listening");
  return address.port;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
