import { createGroupCache } from "@parsec/core";
import { createNatsPeers } from "../../src/index.ts";

/** A request of the test to this process, by IPC. */
export type NodeCommand =
  | { readonly kind: "get"; readonly keys: readonly string[] }
  | { readonly kind: "invalidate"; readonly key: string }
  | { readonly kind: "stats" }
  | { readonly kind: "close" };

/** A node in its own process: options from the environment, commands from its parent. */
const peers = createNatsPeers(JSON.parse(process.env.PARSEC_TEST_NODE ?? "{}"));
const cache = createGroupCache({ peers });
const loads: string[] = [];
const group = cache.group("users", {
  hot: false,
  timeoutMs: 10_000,
  async load(key) {
    loads.push(key);
    await new Promise((resolve) => setTimeout(resolve, 5));
    return `value of ${key}`;
  },
});

async function perform(command: NodeCommand): Promise<unknown> {
  switch (command.kind) {
    case "get":
      return Promise.all(
        command.keys.map((key) =>
          group.get(key).then(
            (value) => value && Buffer.from(value).toString(),
            (error: { code: string }) => error.code,
          ),
        ),
      );
    case "invalidate": {
      const { acknowledged, failed } = await group.invalidate(command.key);
      return { acknowledged, failed: failed.map(({ peerId }) => peerId) };
    }
    case "stats":
      return { ...peers.stats(), loads };
    case "close":
      await cache.close();
      // From now on only the resources of the test may keep this process alive.
      setImmediate(() => process.disconnect());
      return undefined;
  }
}

process.on("message", (message: { readonly number: number; readonly call: NodeCommand }) => {
  const { number, call } = message;
  void perform(call).then((result) => process.send?.({ number, result }));
});
await peers.ready();
process.send?.({ number: 0, result: "ready" });
