import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { clusterOptionsFromFlags } from "./cluster-options.ts";
import { claimPorts } from "./free-ports.ts";

test("free ports are all different and can be listened on afterwards", async () => {
  const wanted = Array.from({ length: 5 }, () => ({ port: 0, flag: "--port" }));
  const ports = await claimPorts(wanted);
  expect(new Set(ports).size).toBe(5);
  expect(await claimPorts(ports.map((port) => ({ port, flag: "--port" })))).toEqual(ports);
});

test("every busy port is reported with the flag that changes it", async () => {
  const servers = await Promise.all(
    [0, 1].map(async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      return server;
    }),
  );
  const [one = 0, two = 0] = servers.map((server) => (server.address() as AddressInfo).port);
  await expect(
    claimPorts([
      { port: one, flag: "--port" },
      { port: 0, flag: "--postgres-port" },
      { port: two, flag: "--idp-port" },
    ]),
  ).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: `port ${one} is in use: choose another with --port; port ${two} is in use: choose another with --idp-port`,
  });
  await expect(claimPorts([one, two].map((port) => ({ port, flag: "--port" })))).rejects.toThrow(
    `ports ${one}, ${two} are in use: choose others with --port`,
  );
  for (const server of servers) server.close();
});

test("the flags of start", () => {
  expect(clusterOptionsFromFlags([])).toEqual({
    nodePorts: [8081, 8082, 8083],
    idpPort: 8084,
    postgresPort: 0,
    databaseUrl: undefined,
  });
  expect(clusterOptionsFromFlags(["--port", "9000"])).toMatchObject({
    nodePorts: [9000, 9001, 9002],
    idpPort: 9003,
  });
  expect(clusterOptionsFromFlags(["--port=0", "--postgres-port=5555"])).toMatchObject({
    nodePorts: [0, 0, 0],
    idpPort: 0,
    postgresPort: 5555,
  });
  expect(clusterOptionsFromFlags(["--help"])).toBeUndefined();
  for (const args of [
    ["--port", "65534"],
    ["--idp-port", "x"],
    ["--database-url", "mysql://x"],
  ]) {
    expect(() => clusterOptionsFromFlags(args)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  }
});
