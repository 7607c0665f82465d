import { Client, credentials } from "@grpc/grpc-js";
import { createScriptedHost } from "@parsec/testkit";
import { afterEach, expect, it } from "vitest";
import { decodeAnswerMessage, messageMethods } from "../src/grpc-wire.ts";
import { createGrpcPeers } from "../src/index.ts";
import { lookupFrame } from "./frames.ts";
import { freePorts } from "./free-ports.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const valueBytes = 256 * 1024;

/** A stream to a node with large values, which the client does not read yet. */
async function slowReader() {
  const [port = 0] = await freePorts(1);
  const selfUrl = `localhost:${port}`;
  const peers = createGrpcPeers({ selfUrl, peerUrls: [selfUrl], insecure: true });
  const host = createScriptedHost();
  const value = Buffer.alloc(valueBytes, "v");
  host.onLookup(() => ({ value, ttlMs: 0, fence: 0, ratePerMinute: 0 }));
  peers.attach(host);
  await peers.listen();
  const client = new Client(selfUrl, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } = messageMethods.exchange;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
  cleanups.push(
    () => peers.close(),
    () => client.close(),
    () => call.cancel(),
  );
  call.on("error", () => {});
  return { host, call };
}

it("answers the frames of a slow reader only as fast as it reads", async () => {
  const frames = 300;
  const { host, call } = await slowReader();
  for (let frameId = 1; frameId <= frames; frameId++) call.write(lookupFrame(frameId));
  let read = 0;
  let furthestAhead = 0;
  for await (const message of call) {
    const { kind } = decodeAnswerMessage(message as Buffer);
    if (kind === "whole" || kind === "last") read++;
    furthestAhead = Math.max(furthestAhead, host.lookups.length - read);
    if (read === frames) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(host.lookups).toHaveLength(frames);
  expect(furthestAhead).toBeLessThan(frames / 2);
});

it("answers one frame with many values only as fast as the client reads", async () => {
  const lookups = 300;
  const { host, call } = await slowReader();
  call.write(lookupFrame(1, ...Array.from({ length: lookups }, (_, index) => `k${index}`)));
  let read = 0;
  let furthestAhead = 0;
  for await (const message of call) {
    const { kind, body } = decodeAnswerMessage(message as Buffer);
    read += body.length;
    const readLookups = read / valueBytes;
    furthestAhead = Math.max(furthestAhead, host.lookups.length - readLookups);
    if (kind === "last") break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(host.lookups).toHaveLength(lookups);
  expect(read).toBeGreaterThan(lookups * valueBytes);
  expect(furthestAhead).toBeLessThan(lookups / 2);
});
