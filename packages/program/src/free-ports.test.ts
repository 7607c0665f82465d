import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { expect, test } from "vitest";
import { claimPorts } from "./free-ports.ts";

test("returns different ports that are free", async () => {
  const wanted = Array.from({ length: 5 }, () => ({ port: 0, flag: "--port" }));
  const ports = await claimPorts(wanted);
  expect(new Set(ports).size).toBe(5);
  expect(await claimPorts(ports.map((port) => ({ port, flag: "--port" })))).toEqual(ports);
});

test("reports every port in use with the flag that changes it", async () => {
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
