import { createServer } from "node:net";

/**
 * Ports on 127.0.0.1 that were free a moment ago, below those that systems give to outgoing
 * connections: a node that is restarted must find its own free again.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt++) {
    if (attempt > 1000) throw new Error("found no free ports");
    const port = 15_000 + Math.floor(Math.random() * 17_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}
