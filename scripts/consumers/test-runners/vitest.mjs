import { writeFile } from "node:fs/promises";
import { join } from "node:path";

const test = `import { createDataSourceClusterRegistry } from "@parsec/core";
import { createMemoryNetwork } from "@parsec/testkit";
import { expect, it } from "vitest";

it("shares between two nodes in memory", async () => {
  const network = createMemoryNetwork();
  let fetches = 0;
  const ids = ["a", "b"];
  const nodes = ids.map((selfId) => {
    const registry = createDataSourceClusterRegistry({ peers: network.createPeers({ selfId, ids }) });
    const users = registry.register({ name: "users", cacheKey: (input) => input.id, fetch: async ({ id }) => ({ id, fetches: ++fetches }) });
    return { registry, users };
  });
  await Promise.all(nodes.map(({ users }) => users.get({ id: "alice" })));
  expect(fetches).toBe(1);
  for (const { registry } of nodes) await registry.close();
});
`;

/** The one that testkit is for. @type {import("../consumer.mjs").Consumer} */
export const vitest = {
  name: "vitest",
  dependencies: { vitest: "4.1.12", "fast-check": "4.10.2" },
  async run({ folder, exec }) {
    await writeFile(join(folder, "shares.test.mjs"), test);
    await exec("node_modules/.bin/vitest", ["run"]);
  },
};
