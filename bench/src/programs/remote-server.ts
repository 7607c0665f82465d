import { createDataSourceClusterRegistry } from "@parsec/core";
import type { NodePlace, TransportName } from "../transports/bench-transport.ts";
import { openTransport } from "../transports/open-transport.ts";

/*
 * The server of a remote hit: the owner of all keys, or the bare echo. Prints its address once it accepts
 * requests; ends on SIGTERM.
 */

export type RemoteServerTask =
  | { readonly role: "owner"; readonly transport: TransportName; readonly place: NodePlace }
  | { readonly role: "bare"; readonly transport: TransportName; readonly natsUrl: string };

const value = "x".repeat(256);
const task = JSON.parse(process.argv[2] ?? "{}") as RemoteServerTask;
const transport = await openTransport(task.transport);
process.once("SIGTERM", () => process.exit(0));

if (task.role === "owner") {
  const peers = await transport.connect(task.place);
  createDataSourceClusterRegistry({ peers }).register<string, string>({
    name: "values",
    cacheKey: (key) => key,
    fetch: () => Promise.resolve(value),
  });
  process.stdout.write(`${peers.selfId}\n`);
} else {
  process.stdout.write(`${await transport.serveBare(Buffer.from(value), task.natsUrl)}\n`);
}
