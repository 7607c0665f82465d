import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const test = `import { createDataSourceRegistry } from "@parsec/core";
import { createHttpPeers } from "@parsec/transport-http";

test("loads a value", async () => {
  const registry = createDataSourceRegistry();
  const users = registry.register({ name: "users", cacheKey: (input) => input.id, fetch: async ({ id }) => ({ id }) });
  expect(await users.get({ id: "alice" })).toEqual({ id: "alice" });
  expect(typeof createHttpPeers).toBe("function");
  await registry.close();
});
`;

/** With the line of core's README. @type {import("../consumer.mjs").Consumer} */
export const jest = {
  name: "jest",
  dependencies: {
    jest: "30.5.2",
    "@babel/core": "7.29.13",
    "@babel/preset-env": "7.29.14",
  },
  async run({ folder, exec }) {
    const readme = await readFile(
      new URL("../../../packages/core/README.md", import.meta.url),
      "utf8",
    );
    const [, pattern = "no such line"] = /`(transformIgnorePatterns: .*?)`/.exec(readme) ?? [];
    await writeFile(
      join(folder, "package.json"),
      JSON.stringify({
        ...JSON.parse(await readFile(join(folder, "package.json"), "utf8")),
        type: "commonjs",
      }),
    );
    await writeFile(join(folder, "jest.config.cjs"), `module.exports = { ${pattern} };\n`);
    await writeFile(
      join(folder, "babel.config.cjs"),
      'module.exports = { presets: [["@babel/preset-env", { targets: { node: "current" } }]] };\n',
    );
    await writeFile(join(folder, "loads.test.js"), test);
    await exec("node_modules/.bin/jest", ["--ci"]);
  },
};
