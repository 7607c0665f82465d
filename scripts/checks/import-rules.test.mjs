import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runChildGroup } from "../processes/child-group.mjs";

/*
 * Each rule of .dependency-cruiser.cjs is broken once, in a small tree of its own, and has to say so: a
 * rule whose pattern matches nothing passes forever, as after a folder is renamed.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const configName = ".dependency-cruiser.cjs";
const cruiser = join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
/** @type {{ forbidden: { name: string }[] }} */
const { forbidden } = createRequire(import.meta.url)(join(root, configName));
const rules = [...new Set(forbidden.map(({ name }) => name))];

/** For each rule an import that it forbids: the importing file, and the imported one. */
const broken = new Map([
  ["ring-imports-do-not-climb", ["packages/ring/src/link/a.ts", "packages/ring/src/runtime/a.ts"]],
  [
    "transport-nats-imports-do-not-climb",
    ["packages/transport-nats/src/nats-wire.ts", "packages/transport-nats/src/client/a.ts"],
  ],
  [
    "cache-node-imports-do-not-climb",
    ["apps/cache-node/src/cache/a.ts", "apps/cache-node/src/http/a.ts"],
  ],
  [
    "testkit-imports-do-not-climb",
    ["packages/testkit/src/dns/a.ts", "packages/testkit/src/contracts/a.ts"],
  ],
  ["scenarios-imports-do-not-climb", ["scenarios/src/origin/a.ts", "scenarios/src/sites/a.ts"]],
  ["bench-imports-do-not-climb", ["bench/src/processes/a.ts", "bench/src/suites/a.ts"]],
  ["no-circular", ["packages/core/src/circle/a.ts", "packages/core/src/circle/b.ts"]],
  ["not-resolvable", ["packages/core/src/placement/a.ts", "node_modules/not-installed/index.js"]],
  ["core-imports-only-node", ["packages/core/src/memory/b.ts", "node_modules/other/index.js"]],
  [
    "core-cache-does-not-import-transport",
    ["packages/core/src/group/a.ts", "packages/core/src/transport/link/a.ts"],
  ],
  [
    "core-transport-does-not-import-the-cache",
    ["packages/core/src/transport/link/b.ts", "packages/core/src/memory/a.ts"],
  ],
  ["core-rooms-do-not-climb", ["packages/core/src/memory/c.ts", "packages/core/src/group/b.ts"]],
  [
    "core-group-does-not-import-registry",
    ["packages/core/src/group/c.ts", "packages/core/src/registry/a.ts"],
  ],
  [
    "core-invalidation-does-not-import-memory",
    ["packages/core/src/invalidation/a.ts", "packages/core/src/memory/a.ts"],
  ],
  [
    "core-placement-and-discovery-stand-alone",
    ["packages/core/src/placement/b.ts", "packages/core/src/discovery/a.ts"],
  ],
  ["core-ground-imports-no-room", ["packages/core/src/clock.ts", "packages/core/src/memory/a.ts"]],
  [
    "core-transport-rooms-do-not-climb",
    ["packages/core/src/transport/wire/a.ts", "packages/core/src/transport/link/a.ts"],
  ],
  [
    "core-tests-import-no-other-package",
    ["packages/core/src/a.test.ts", "packages/testkit/src/index.ts"],
  ],
  ["testkit-imports-only-core", ["packages/testkit/src/a.ts", "packages/ring/src/index.ts"]],
  ["middle-imports-only-core", ["packages/connect/src/a.ts", "packages/ring/src/index.ts"]],
  ["upper-imports-only-lower", ["packages/tokens/src/a.ts", "packages/ring/src/index.ts"]],
  [
    "transports-do-not-import-each-other",
    ["packages/transport-http/src/a.test.ts", "packages/transport-grpc/src/index.ts"],
  ],
  ["nats-imports-only-core", ["packages/nats/src/a.ts", "packages/ring/src/index.ts"]],
  [
    "nats-is-for-packages-that-speak-nats",
    ["packages/tokens/src/b.ts", "packages/nats/src/index.ts"],
  ],
  ["testkit-is-for-tests", ["packages/ring/src/wire/a.ts", "packages/testkit/src/index.ts"]],
  ["fixtures-are-for-tests", ["packages/ring/src/wire/b.ts", "nats-fixtures/src/index.ts"]],
  ["program-imports-only-core", ["packages/program/src/a.ts", "packages/ring/src/index.ts"]],
  ["program-is-for-apps", ["packages/ring/src/wire/c.ts", "packages/program/src/index.ts"]],
  [
    "program-testing-is-for-tests",
    ["apps/cache-node/src/node/a.ts", "packages/program/src/testing/index.ts"],
  ],
  ["nothing-imports-an-app", ["packages/ring/src/wire/d.ts", "apps/cache-node/src/node/b.ts"]],
  [
    "scenarios-import-what-clusters-are-made-of",
    ["scenarios/src/a.ts", "packages/ring/src/index.ts"],
  ],
  ["through-the-entry-only", ["packages/ring/src/wire/e.ts", "packages/core/src/memory/a.ts"]],
  ["no-dev-dependency-in-source", ["packages/tokens/src/c.ts", "node_modules/dev-only/index.js"]],
  ["no-import-of-tests", ["packages/ring/src/wire/f.ts", "packages/ring/src/wire/g.test.ts"]],
]);

/** Imports that every rule allows. */
const allowed = [
  ["apps/token-service/src/node.ts", "packages/transport-http/src/index.ts"],
  ["packages/transport-http/src/b.ts", "packages/core/src/authoring.ts"],
  ["packages/core/src/registry/b.ts", "packages/core/src/group/d.ts"],
  ["packages/core/src/transport/link/c.ts", "packages/core/src/transport/wire/b.ts"],
  ["packages/ring/src/runtime/b.ts", "packages/ring/src/link/b.ts"],
  ["packages/ring/src/wire/h.test.ts", "packages/testkit/src/index.ts"],
  ["bench/src/a.ts", "packages/core/src/memory/a.ts"],
];

let folder = "";
/** @type {Map<string, string[]>} the rules that each importing file breaks */
const found = new Map();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parsec-rules-"));
  for (const name of [configName, "tsconfig.base.json"]) {
    await copyFile(join(root, name), join(folder, name));
  }
  const manifest = JSON.stringify({ devDependencies: { "dev-only": "1.0.0" } });
  await write("packages/tokens/package.json", manifest);
  for (const name of ["other", "dev-only"]) {
    await write(`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0" }));
    await write(`node_modules/${name}/index.js`, "export {};");
  }
  const imports = [...broken.values(), ...allowed];
  for (const [, to = ""] of imports)
    if (!to.startsWith("node_modules/")) await write(to, "export {};");
  for (const [from = "", to = ""] of imports) await write(from, `import "${specifier(from, to)}";`);
  const [one = "", other = ""] = broken.get("no-circular") ?? [];
  await write(other, `import "${specifier(other, one)}";`);
  await cruise();
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

async function cruise() {
  const { output } = await runChildGroup(
    process.execPath,
    [cruiser, ".", "--config", configName, "--output-type", "json"],
    { cwd: folder, capture: true },
  );
  /** @type {{ summary: { violations: { from: string, rule: { name: string } }[] } }} */
  const { summary } = JSON.parse(output);
  for (const { from, rule } of summary.violations) {
    found.set(from, [...(found.get(from) ?? []), rule.name]);
  }
}

/**
 * @param {string} path
 * @param {string} text
 */
async function write(path, text) {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), text);
}

/**
 * @param {string} from
 * @param {string} to
 */
function specifier(from, to) {
  const [, dependency] = /^node_modules\/([^/]+)/.exec(to) ?? [];
  if (dependency !== undefined) return dependency;
  const path = relative(dirname(from), to);
  return path.startsWith(".") ? path : `./${path}`;
}

test.each(rules)("%s fails when it is broken", (name) => {
  const [from = ""] = broken.get(name) ?? [];
  expect(from, "this rule needs an import here that breaks it").not.toBe("");
  expect(found.get(from)).toContain(name);
});

test("there is no example of a rule that has gone", () => {
  expect([...broken.keys()].filter((name) => !rules.includes(name))).toEqual([]);
});

test.each(allowed)("%s may import %s", (from) => {
  expect(found.get(from)).toBeUndefined();
});
