import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { claimPorts } from "@parsec/program";
import { isAlive, runProgram, waitForOutput } from "@parsec/program/testing";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import {
  adminToken,
  type ClusterProgram,
  exchangeAt,
  startClusterProgram,
} from "../test/cluster-program.ts";

async function rolesAt(url: string, subjectToken: string): Promise<unknown> {
  const response = await exchangeAt(url, subjectToken);
  const { access_token: token } = (await response.json()) as { access_token: string };
  return decodeJwt(token).roles;
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

describe("a running cluster", () => {
  let cluster: ClusterProgram;
  beforeAll(async () => {
    cluster = await startClusterProgram();
  });
  afterAll(async () => {
    expect(await cluster.stop()).toBe(0);
    expect(cluster.nodes.some(({ pid }) => isAlive(pid))).toBe(false);
  });

  test("prints in about ten lines what runs where, and three lines that work when pasted", async () => {
    expect(cluster.program.stdout().trimEnd().split("\n").length).toBeLessThanOrEqual(12);
    expect(cluster.nodes).toHaveLength(3);
    expect(cluster.curlLines).toHaveLength(3);
    const { stdout } = await promisify(execFile)("bash", ["-ec", cluster.curlLines.join("\n")]);
    const body = JSON.parse(/\{"access_token".*\}/.exec(stdout)?.[0] ?? "") as {
      access_token: string;
    };
    expect(decodeJwt(body.access_token)).toMatchObject({ sub: "alice", roles: ["admin"] });
    expect(stdout.match(/cache_gets\{source="users"\} \d+/g)).toHaveLength(3);
  });

  test("the lines of the README do what it says", async () => {
    const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
    const blocks = [...readme.matchAll(/```sh\n(.*?)```/gs)].map(([, lines]) => lines as string);
    const lines = blocks.filter((block) => block.includes("curl "));
    expect(lines).toHaveLength(2);
    let script = lines.join("").replaceAll("http://127.0.0.1:8084", cluster.idpUrl);
    for (const [index, { url }] of cluster.nodes.entries()) {
      script = script.replaceAll(String(8081 + index), new URL(url).port);
    }
    const { stdout } = await promisify(execFile)("bash", ["-ec", script]);
    expect(stdout).toContain('{"access_token"');
    expect(stdout.match(/cache_gets\{source="users"\} \d+/g)).toHaveLength(3);
    const changed = JSON.parse(stdout.trim().split("\n").at(-1) as string) as object;
    expect(changed).toMatchObject({ failed: [] });
  });

  test("fetches a user once when it is requested on every node", async () => {
    const token = await cluster.mint("carol");
    const before = await cluster.countReads();
    for (const { url } of [...cluster.nodes, ...cluster.nodes]) {
      expect(await rolesAt(url, token)).toEqual(["auditor"]);
    }
    expect((await cluster.countReads()) - before).toBe(1);
  });

  test("issues tokens with changed roles on every node", async () => {
    const token = await cluster.mint("bob");
    for (const { url } of cluster.nodes) expect(await rolesAt(url, token)).toEqual(["viewer"]);
    const response = await fetch(`${cluster.idpUrl}/users/bob`, {
      method: "POST",
      body: new URLSearchParams({ roles: "editor,reviewer" }),
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ failed: [] });
    for (const { url } of cluster.nodes) {
      expect(await rolesAt(url, token)).toEqual(["editor", "reviewer"]);
    }
  });

  test("lists the acknowledging nodes in the response of the admin endpoint", async () => {
    const [first] = cluster.nodes;
    const response = await fetch(`${first?.url}/admin/invalidate`, {
      method: "POST",
      headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
      body: JSON.stringify({ source: "users", input: { subject: "bob", issuer: cluster.idpUrl } }),
    });
    expect(response.status).toBe(200);
    const body = (await response.json()) as { acknowledged: string[]; failed: unknown[] };
    expect(body.acknowledged.sort()).toEqual(cluster.nodes.map(({ url }) => url).sort());
    expect(body.failed).toEqual([]);
  });

  test("answers invalid requests to the identity provider with an error", async () => {
    const statuses = await Promise.all([
      fetch(`${cluster.idpUrl}/token`).then((response) => response.status),
      fetch(`${cluster.idpUrl}/users/nobody`, { method: "POST", body: "roles=x" }).then(
        (response) => response.status,
      ),
      fetch(`${cluster.idpUrl}/users/bob`, { method: "POST", body: "x=y" }).then(
        (response) => response.status,
      ),
      fetch(`${cluster.idpUrl}/users/bob`, { method: "POST", body: "x".repeat(10_000) })
        .then((response) => response.status)
        .catch(() => 400),
      fetch(`${cluster.idpUrl}/nothing`).then((response) => response.status),
    ]);
    expect(statuses).toEqual([400, 404, 400, 400, 404]);
  });
});

describe("stopping", () => {
  test("reports a killed node, and keeps the others running", async () => {
    const cluster = await startClusterProgram();
    const [first, ...rest] = cluster.nodes;
    const tokens = await Promise.all(["alice", "bob", "carol"].map(cluster.mint));
    process.kill(first?.pid ?? 0, "SIGKILL");
    await waitForOutput(cluster.program, /ended: SIGKILL; 2 nodes still running/);
    for (const { url } of rest) {
      for (const token of tokens) expect((await exchangeAt(url, token)).status).toBe(200);
    }
    expect(await cluster.stop()).toBe(0);
    expect(rest.some(({ pid }) => isAlive(pid))).toBe(false);
  });

  test("leaves nothing behind after Ctrl-C, which reaches the whole process group", async () => {
    const cluster = await startClusterProgram({ detached: true });
    await cluster.database.end();
    process.kill(-cluster.program.pid, "SIGINT");
    expect(await cluster.program.ended).toBe(0);
    expect(cluster.nodes.some(({ pid }) => isAlive(pid))).toBe(false);
    expect(cluster.program.stderr()).toBe("");
  });

  test("exits with code 0 after Ctrl-C during the start", async () => {
    const [port = 0] = await claimPorts([{ port: 0, flag: "--postgres-port" }]);
    const args = ["--port=0", `--postgres-port=${port}`];
    const program = runProgram("start", { args, detached: true });
    // The database runs, the nodes do not yet.
    await expect.poll(() => canConnect(port), { interval: 5 }).toBe(true);
    process.kill(-program.pid, "SIGINT");
    expect(await program.ended).toBe(0);
    expect(program.stdout() + program.stderr()).toBe("");
  });

  test("stops the nodes when their supervisor is killed", async () => {
    const cluster = await startClusterProgram();
    cluster.program.kill("SIGKILL");
    await cluster.program.ended;
    await expect.poll(() => cluster.nodes.filter(({ pid }) => isAlive(pid))).toEqual([]);
  });

  test("stops everything when the package manager that launched it is killed", async () => {
    const folder = inject("programs");
    const launcher = join(folder, "pnpm.cjs");
    await writeFile(
      launcher,
      `const { spawn } = require("node:child_process");
       const child = spawn(process.execPath, [${JSON.stringify(join(folder, "start.js"))}, "--port=0"], { stdio: ["ignore", "inherit", "inherit"] });
       process.stdout.write("supervisor " + child.pid + "\\n");`,
    );
    const program = runProgram("pnpm.cjs");
    await waitForOutput(program, /Ctrl-C stops/);
    const supervisor = Number(/supervisor (\d+)/.exec(program.stdout())?.[1]);
    program.kill("SIGKILL");
    await expect.poll(() => isAlive(supervisor)).toBe(false);
  });
});

describe("a failing start", () => {
  test("reports ports in use with the flag that changes them, before anything starts", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    for (const flag of ["--idp-port", "--postgres-port"]) {
      const program = runProgram("start", { args: ["--port", "0", flag, String(port)] });
      expect(await program.ended).toBe(2);
      expect(program.stderr()).toBe(`start: port ${port} is in use: choose another with ${flag}\n`);
      expect(program.stdout()).toBe("");
    }
    const program = runProgram("start", { args: ["--port", String(port), "--idp-port=0"] });
    expect(await program.ended).toBe(2);
    // The two ports after it may be in use by others, and are then listed as well.
    expect(program.stderr()).toMatch(
      new RegExp(`^start: ports? ${port}[ ,].* in use: choose (another|others) with --port`),
    );
    server.close();
  });

  test.each([
    [["--prot", "9000"], "start: there is no flag --prot; did you mean --port?\n"],
    [["--port", "eighty"], 'start: --port must be a port from 0 to 65535, got "eighty"\n'],
    [
      ["--database-url", "mysql://x"],
      "start: --database-url must be a URL that begins with postgres:// or postgresql://\n",
    ],
  ])("rejects %j with one line and exit code 2", async (args, message) => {
    const program = runProgram("start", { args });
    expect(await program.ended).toBe(2);
    expect(program.stderr()).toBe(message);
  });

  test("reports an unreachable database with one line and exit code 1, and leaves nothing", async () => {
    const args = ["--port=0", "--database-url", "postgres://me:hunter2@127.0.0.1:9/x"];
    const program = runProgram("start", { args });
    expect(await program.ended).toBe(1);
    expect(program.stderr()).toMatch(/^start: .*ECONNREFUSED.*\n$/);
    expect(program.stderr()).not.toContain("hunter2");
  });

  test("explains the flags with --help", async () => {
    const program = runProgram("start", { args: ["--help"] });
    expect(await program.ended).toBe(0);
    expect(program.stdout()).toContain("--idp-port <port>");
  });
});
