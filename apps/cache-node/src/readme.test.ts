import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { systemNats } from "@parsec/nats-fixtures";
import { expect, test } from "vitest";
import { startClusterProgram } from "../test/cluster-program.ts";
import { nodeSettings } from "./node/node-settings.ts";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");

test("the commands of the README work", async ({ skip }) => {
  const { program, missing } = systemNats;
  if (program === undefined) return skip(missing);
  const script = /In another terminal:\n\n```sh\n(.*?)```/s.exec(readme)?.[1] ?? "";
  const cluster = await startClusterProgram({ env: { PARSEC_NATS_SERVER: program } });
  let lines = script.replaceAll("curl ", "curl -sS ");
  for (const [index, { url }] of cluster.nodes.entries()) {
    lines = lines.replaceAll(`http://localhost:${8081 + index}`, url);
  }
  const { stdout } = await promisify(execFile)("bash", ["-ec", lines]);
  const answers = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(answers).toMatchObject([
    { success: true },
    { found: true, value: "Alice" },
    { key: "user:1", partition: 5, this_node: "node-1" },
    { deleted: true },
    { node_id: "node-1", ring: { num_partitions: 64, num_nodes: 3 } },
  ]);
  expect(await cluster.stop("SIGTERM")).toBe(0);
});

test("lists every flag with its variable and default", () => {
  for (const [name, { variable, fallback }] of Object.entries(nodeSettings)) {
    const shown = fallback === "" ? "none" : fallback;
    expect(readme).toMatch(
      new RegExp(`^\\| \`--${name}\` \\| \`${variable}\` \\| \`?${shown}\`? \\|`, "m"),
    );
  }
});
