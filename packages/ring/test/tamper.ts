import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

/** Changes the buckets of a server, as an operator with a command line could. */
export async function tamper(url: string, how: "delete" | "purge"): Promise<void> {
  const client = await connect({ servers: url });
  const manager = await jetstreamManager(client);
  for await (const name of manager.streams.names()) await manager.streams[how](name);
  await client.close();
}
