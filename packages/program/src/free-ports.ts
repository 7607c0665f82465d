import { createServer, type Server } from "node:net";
import { ParsecError } from "@parsec/core";

/** A port that is wanted, and the flag that changes it. */
export interface WantedPort {
  /** 0: any. */
  readonly port: number;
  readonly flag: string;
}

export const loopbackHost = "127.0.0.1";

/**
 * Turns wanted ports into real ones, all different, before anything is started. Throws
 * `INVALID_ARGUMENT` naming every busy port and the flag that changes it.
 */
export async function claimPorts(wanted: readonly WantedPort[]): Promise<readonly number[]> {
  const servers: (Server | undefined)[] = [];
  const busy = new Map<string, number[]>();
  try {
    // Held open together, so that no two get the same one.
    for (const { port, flag } of wanted) {
      const server = await tryListen(port);
      servers.push(server);
      if (server === undefined) busy.set(flag, [...(busy.get(flag) ?? []), port]);
    }
    if (busy.size > 0) {
      throw new ParsecError("INVALID_ARGUMENT", [...busy].map(describeBusy).join("; "));
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
  if (typeof address !== "object" || address === null)
    throw new Error("the server is not listening");
  return address.port;
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
