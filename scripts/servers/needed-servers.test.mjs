import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { allServers } from "./all-servers.mjs";
import { neededServers } from "./needed-servers.mjs";

let root = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "parsec-needed-"));
  const files = {
    "packages/a/src/a.test.ts": "",
    "packages/a/src/database.ts": "process.env.PARSEC_TEST_POSTGRES_URL",
    "packages/a/node_modules/x/x.test.ts": "process.env.PARSEC_TEST_REDIS_URL",
    "apps/b/src/b.test.ts": "process.env.PARSEC_TEST_REDIS_URL",
    "scenarios/src/a.test.ts": "process.env.PARSEC_TEST_NATS_URL",
    "apps/d/src/d.test.ts": "",
    "apps/d/package.json": '{ "devDependencies": { "@parsec/nats-fixtures": "workspace:^" } }',
    "nats-fixtures/src/servers.ts": "process.env.PARSEC_TEST_NATS_URL",
    "apps/c/src/c.ts": "process.env.PARSEC_TEST_REDIS_URL",
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
});

afterAll(() => rm(root, { recursive: true, force: true }));

test.each([
  ["no filter", [], ["PostgreSQL", "Redis", "nats-server"]],
  ["the folder of one package", ["packages/a"], ["PostgreSQL"]],
  ["a part of one test file's name", ["b.test"], ["Redis"]],
  ["a path from here", ["./packages/a"], ["PostgreSQL"]],
  ["a member at the root", ["scenarios"], ["nats-server"]],
  ["a line of a file", ["packages/a/src/a.test.ts:12"], ["PostgreSQL"]],
  ["two of them", ["packages/a", "apps/b"], ["PostgreSQL", "Redis"]],
  ["a member that asks through fixtures", ["apps/d"], ["nats-server"]],
  ["a member that has no tests", ["apps/c"], []],
  ["a part that no test file has", ["zebra"], []],
])("%s: %j needs %j", async (_, filters, expected) => {
  const servers = await neededServers(allServers, { root, filters });
  expect(servers.map((server) => server.name).sort()).toEqual(expected);
});
