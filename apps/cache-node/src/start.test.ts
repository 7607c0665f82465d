import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { promisify } from "node:util";
import { systemNats } from "@parsec/nats-fixtures";
import { isAlive, runProgram, waitForOutput } from "@parsec/program/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ClusterProgram, startClusterProgram } from "../test/cluster-program.ts";
import { ask, get, set } from "../test/http-client.ts";
import { temporaryFolder } from "../test/temporary-folder.ts";

const { program: nats, missing } = systemNats;
const withNats = { PARSEC_NATS_SERVER: nats ?? "" };

/** Processes with the text in their arguments. */
async function processesAbout(text: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""));
  return (await Promise.all(lines)).filter((line) => line.includes(text));
}

describe.skipIf(nats === undefined)(`a running cluster${nats ? "" : ` (${missing})`}`, () => {
  let cluster: ClusterProgram;
  beforeAll(async () => {
    cluster = await startClusterProgram({ env: withNats });
  });
  afterAll(async () => {
    expect(await cluster.stop("SIGTERM")).toBe(0);
    expect(cluster.nodes.some(({ pid }) => isAlive(pid))).toBe(false);
  });

  test("prints the addresses in about a dozen lines, with commands that work when pasted", async () => {
    expect(cluster.program.stdout().trimEnd().split("\n").length).toBeLessThanOrEqual(12);
    expect(cluster.nodes).toHaveLength(3);
    expect(cluster.curlLines).toHaveLength(5);
    const { stdout } = await promisify(execFile)("bash", ["-ec", cluster.curlLines.join("\n")]);
    const answers = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const { node } = answers[0] as { node: string };
    expect(answers.slice(0, 4)).toEqual([
      { success: true, node },
      { found: true, value: "Alice", node },
      {
        key: "user:1",
        partition: 5,
        owner: node,
        is_local: node === "node-1",
        this_node: "node-1",
      },
      { deleted: true, node },
    ]);
    expect(answers[4]).toMatchObject({ node_id: "node-1", ring: { num_nodes: 3 } });
  });

  test("a killed node is reported, and no key is lost", async () => {
    const [first, second, third] = cluster.nodes;
    const keys = Array.from({ length: 60 }, (_, at) => `key:${at}`);
    await Promise.all(keys.map((key) => set(first?.url ?? "", key, key)));
    process.kill(second?.pid ?? 0, "SIGKILL");
    await waitForOutput(
      cluster.program,
      /node-2 \(pid \d+\) ended: SIGKILL; 2 nodes still running/,
    );
    const answers = await Promise.all(keys.map((key) => get(third?.url ?? "", key)));
    expect(answers.map(({ body }) => (body as { value?: string }).value)).toEqual(keys);
  });
});

describe.skipIf(nats === undefined)("ending", () => {
  test("Ctrl-C in a terminal leaves no process and no file", async () => {
    const folder = await temporaryFolder();
    const env = { ...withNats, TMPDIR: folder };
    const cluster = await startClusterProgram({ env, detached: true });
    expect(await readdir(folder)).toHaveLength(1);
    // A terminal sends the signal to the whole process group.
    process.kill(-cluster.program.pid, "SIGINT");
    expect(await cluster.program.ended).toBe(0);
    expect(cluster.program.stderr()).toBe("");
    expect(await processesAbout(folder)).toEqual([]);
    expect(cluster.nodes.some(({ pid }) => isAlive(pid))).toBe(false);
    expect(await readdir(folder)).toEqual([]);
  });

  test("a killed supervisor leaves no process and no file", async () => {
    const folder = await temporaryFolder();
    const cluster = await startClusterProgram({ env: { ...withNats, TMPDIR: folder } });
    expect(await cluster.stop("SIGKILL")).toBe("SIGKILL");
    await expect.poll(() => cluster.nodes.some(({ pid }) => isAlive(pid))).toBe(false);
    await expect.poll(() => processesAbout(folder)).toEqual([]);
    await expect.poll(() => readdir(folder)).toEqual([]);
  });

  test("the end of the nats-server ends the cluster, with a message", async () => {
    const folder = await temporaryFolder();
    const cluster = await startClusterProgram({ env: { ...withNats, TMPDIR: folder } });
    const [pidFolder] = await Promise.all(
      (await readdir("/proc"))
        .filter((name) => /^\d+$/.test(name))
        .map(async (pid) => {
          const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
          return line.startsWith(`${nats}\0`) && line.includes(folder) ? Number(pid) : 0;
        }),
    ).then((pids) => pids.filter((pid) => pid !== 0));
    process.kill(pidFolder ?? 0, "SIGKILL");
    expect(await cluster.program.ended).toBe(1);
    expect(cluster.program.stderr()).toContain("the nats-server ended");
    expect(cluster.nodes.some(({ pid }) => isAlive(pid))).toBe(false);
  });
});

test.skipIf(nats === undefined)("a folder restores all data", async () => {
  const folder = await temporaryFolder();
  const options = { env: withNats, args: ["--persist", folder, "-partitions=16", "-ack", "all"] };
  const first = await startClusterProgram(options);
  const keys = Array.from({ length: 60 }, (_, at) => `key:${at}`);
  await Promise.all(keys.map((key) => set(first.nodes[0]?.url ?? "", key, key)));
  expect(await first.stop("SIGINT")).toBe(0);
  const second = await startClusterProgram(options);
  const { body } = await ask(`${second.nodes[2]?.url}/stats`);
  expect(body).toMatchObject({ ring: { num_partitions: 16, num_nodes: 3 } });
  const answers = await Promise.all(keys.map((key) => get(second.nodes[1]?.url ?? "", key)));
  expect(answers.map(({ body }) => (body as { value?: string }).value)).toEqual(keys);
  expect(await second.stop("SIGTERM")).toBe(0);
  expect(first.program.stderr() + second.program.stderr()).toBe("");
});

describe("a start that fails prints the reason", () => {
  test.each([
    [["--prot", "1"], {}, 2, "there is no flag --prot; did you mean --port?"],
    [["--port", "65534"], {}, 2, '--port must be a port from 0 to 65533, got "65534"'],
    [["--ack", "two"], {}, 2, '--ack must be one of owner, one-backup, all, got "two"'],
    [
      [],
      { PARSEC_REPLICAS: "0" },
      2,
      'PARSEC_REPLICAS must be a whole number from 1 to 8, got "0"',
    ],
    [
      ["--nats", "none"],
      {},
      2,
      "--nats must not be none: three nodes need NATS to find each other",
    ],
    [
      ["--port", "0"],
      { PARSEC_NATS_SERVER: "/no" },
      2,
      "PARSEC_NATS_SERVER must be the path of a program, got /no",
    ],
  ])("%j", async (args, env, code, message) => {
    const program = runProgram("start", { args, env });
    expect(await program.ended).toBe(code);
    expect(program.stderr()).toBe(`start: ${message}\n`);
  });

  test("a port that is in use", async () => {
    const holder = createServer();
    await new Promise<void>((resolve) => holder.listen(0, "127.0.0.1", resolve));
    const { port } = holder.address() as { port: number };
    const program = runProgram("start", { args: ["--port", String(Math.min(port, 65_533))] });
    expect(await program.ended).toBe(2);
    expect(program.stderr()).toMatch(/in use: choose (another|others) with --port/);
    holder.close();
  });

  test("--help", async () => {
    const program = runProgram("start", { args: ["--help"] });
    expect(await program.ended).toBe(0);
    expect(program.stdout()).toContain("--persist <folder>");
  });
});
