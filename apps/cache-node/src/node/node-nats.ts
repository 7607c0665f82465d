import { join } from "node:path";
import { createMemoryHub, type RingOptions } from "@parsec/ring";
import { type EmbeddedNats, startEmbeddedNats } from "../nats/embedded-nats.ts";
import { findNatsServer } from "../nats/find-nats-server.ts";
import type { NodeConfig } from "./node-config.ts";

/** Ring options for the connection to other nodes, and the embedded server. */
export interface NodeNats {
  readonly options: Pick<
    RingOptions,
    "coordinator" | "link" | "servers" | "insecure" | "joinDelayMs"
  >;
  /** The embedded server, if any. */
  readonly embedded: EmbeddedNats | undefined;
  close(): Promise<void>;
}

/** Starts the embedded server, if the configuration demands it. Rejects when it is not installed, or does not start. */
export async function openNodeNats(
  { nats, insecure, persist }: NodeConfig,
  env: Readonly<Record<string, string | undefined>>,
): Promise<NodeNats> {
  switch (nats.kind) {
    case "none": {
      const { coordinator, link } = createMemoryHub().seat();
      // No other node can join.
      return withoutServer({ coordinator, link, joinDelayMs: 0 });
    }
    case "embedded": {
      const folder = persist === undefined ? undefined : join(persist, "nats");
      const embedded = await startEmbeddedNats(await findNatsServer(env), { folder });
      const options = { servers: embedded.url, joinDelayMs: 0 };
      return { options, embedded, close: () => embedded.close() };
    }
    case "servers":
      return withoutServer({ servers: nats.urls, insecure });
  }
}

function withoutServer(options: NodeNats["options"]): NodeNats {
  return { options, embedded: undefined, close: async () => {} };
}
