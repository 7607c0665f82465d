// Three nodes in one process: each key is fetched once, and an invalidation reaches all.
import { createDataSourceClusterRegistry } from "@parsec/core";

/**
 * `startNode(urls, index)` resolves to the peers of one node, listening, and to a function that ends its server.
 */
export async function tryCluster(name, { urls, startNode }) {
  let fetches = 0;
  const nodes = [];
  for (const [index] of urls.entries()) {
    const { peers, stop } = await startNode(urls, index);
    const registry = createDataSourceClusterRegistry({ peers });
    const users = registry.register({
      name: "users",
      cacheKey: (input) => input.id,
      fetch: async ({ id }) => ({ id, fetches: ++fetches }),
    });
    nodes.push({ registry, users, stop });
  }
  const calls = Array.from({ length: 300 }, (_, index) =>
    nodes[index % nodes.length].users.get({ id: `k é ${index % 10}` }),
  );
  await Promise.all(calls);
  expectEqual(name, "fetches for 300 calls of 10 keys", fetches, 10);
  const { acknowledged, failed } = await nodes[0].users.invalidate({ id: "k é 1" });
  expectEqual(name, "nodes that acknowledged", acknowledged.length, nodes.length);
  expectEqual(name, "nodes that failed", failed.length, 0);
  return async () => {
    for (const { registry, stop } of nodes) {
      await registry.close();
      await stop();
    }
    console.log(`${name} works`);
  };
}

export function expectEqual(name, what, actual, expected) {
  if (actual !== expected) throw new Error(`${name}: ${what}: ${actual} instead of ${expected}`);
}
