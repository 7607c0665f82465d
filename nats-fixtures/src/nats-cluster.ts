import type { StartServer } from "./describe-on-servers.ts";
import { freePort, type NatsServer } from "./nats-server.ts";

/** Starts a cluster of three servers with JetStream. Each can be stopped and started again. */
export async function startNatsCluster(start: StartServer): Promise<readonly NatsServer[]> {
  const ports = await Promise.all([0, 1, 2].map(() => freePort()));
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(", ");
  return Promise.all(
    ports.map((port, at) => {
      const cluster = `cluster { name: test, listen: "127.0.0.1:${port}", routes: [${routes}] }`;
      return start({ config: `server_name: "server-${at}"\n${cluster}` });
    }),
  );
}
