import { once } from "node:events";
import http from "node:http";
import { describeDiscovery } from "@parsec/testkit";
import { expect, it } from "vitest";
import { createHttpPeers } from "../src/index.ts";
import { closeServer } from "./http-cluster.ts";

describeDiscovery({
  name: "HTTP",
  async startNode({ host, port, discovery, onWarning }) {
    const peers = createHttpPeers({
      selfUrl: `http://${host}:${port}`,
      discovery,
      onWarning: ({ kind, message }) => {
        if (kind === "discovery") onWarning(message);
      },
    });
    const server = http.createServer(peers.handler).listen(port, host);
    await once(server, "listening");
    return { picker: peers, close: () => closeServer(server) };
  },
});

/** A custom discovery that returns its nodes at once. */
const found = (...ids: readonly string[]) => ({
  start: (node: { onPeers(ids: readonly string[]): void }) => node.onPeers(ids),
  close() {},
});

it("starts with peerUrls when given, else with this node alone", async () => {
  const silent = { start() {}, close() {} };
  const selfUrl = "http://127.0.0.1:1";
  const alone = createHttpPeers({ selfUrl, discovery: silent });
  expect(alone.peers()).toEqual([]);
  const peerUrls = [selfUrl, "http://127.0.0.2:1"];
  const listed = createHttpPeers({ selfUrl, peerUrls, discovery: silent });
  expect(listed.peers().map(({ id }) => id)).toEqual(["http://127.0.0.2:1"]);
  await Promise.all([alone.close(), listed.close()]);
});

it("warns about an invalid list from the discovery, and keeps the current one", async () => {
  const warnings: unknown[] = [];
  const peers = createHttpPeers({
    selfUrl: "http://127.0.0.1:1",
    discovery: found("ftp://127.0.0.2:1"),
    onWarning: (warning) => warnings.push(warning),
  });
  expect(peers.peers()).toEqual([]);
  expect(warnings).toEqual([
    {
      kind: "discovery",
      peerId: "http://127.0.0.1:1",
      message: expect.stringMatching(/invalid peer list: peerUrls\[1\] must begin with http/),
    },
  ]);
  await peers.close();
});
