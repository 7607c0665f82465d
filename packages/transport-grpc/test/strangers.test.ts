import { connect } from "node:http2";
import { setTimeout as pause } from "node:timers/promises";
import { createGroupCache } from "@parsec/core";
import { afterEach, expect, it } from "vitest";
import { createGrpcPeers } from "../src/index.ts";
import { freePorts } from "./free-ports.ts";

const [strangers, maxRequests] = process.env.PARSEC_CAMPAIGN === "1" ? [4200, 4096] : [200, 100];
const honestCallers = 100;
const methods = ["Exchange", "Lookup", "Invalidate", "HandOver"];

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const madeUp = (): string =>
  `Parsec-HMAC-SHA256 ${Date.now()}.0123456789abcdef.1.${"A".repeat(43)}.${"A".repeat(43)}`;

/** Opens a call with a made-up signature and an unfinished message of 4 MiB. Resolves with the gRPC status. */
function openCall(port: number, method: string): Promise<string> {
  const session = connect(`http://127.0.0.1:${port}`);
  cleanups.push(() => session.destroy());
  session.on("error", () => {});
  const call = session.request({
    ":method": "POST",
    ":path": `/parsec.v1.Peers/${method}`,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: madeUp(),
  });
  call.on("error", () => {});
  const head = Buffer.alloc(5);
  head.writeUInt32BE(4 * 1024 * 1024, 1);
  call.write(Buffer.concat([head, Buffer.alloc(1000)]));
  call.resume();
  return new Promise((resolve) => {
    const report = (headers: { readonly "grpc-status"?: unknown }): void => {
      if (headers["grpc-status"] !== undefined) resolve(String(headers["grpc-status"]));
    };
    call.on("response", report);
    call.on("trailers", report);
    call.on("close", () => resolve("closed without a status"));
  });
}

it("refuses made-up signatures before their messages, and no honest caller meanwhile", {
  timeout: 600_000,
}, async () => {
  const ports = await freePorts(2);
  const urls = ports.map((port) => `grpc://127.0.0.1:${port}`);
  const [asker, owner] = urls.map((selfUrl) =>
    createGrpcPeers({
      selfUrl,
      peerUrls: urls,
      secret: "a secret for this test",
      limits: { maxRequests, maxStreams: 8 },
      // Both sides of the attack run in this process, which may be busy for long.
      health: { silenceMs: 600_000 },
    }),
  ) as [ReturnType<typeof createGrpcPeers>, ReturnType<typeof createGrpcPeers>];
  await owner.listen();
  const ownerCache = createGroupCache({ peers: owner, handOverMs: 0 });
  const cache = createGroupCache({ peers: asker, handOverMs: 0 });
  cleanups.push(
    () => cache.close(),
    () => ownerCache.close(),
  );
  ownerCache.group("g", { load: (key) => `owner's ${key}` });
  const group = cache.group("g", {
    load: () => "asker's",
    onPeerFailure: "fail",
    timeoutMs: 60_000,
  });

  let opened = 0;
  let refused = 0;
  // The calls stay open on this side: their messages never end.
  const attacks = Array.from({ length: 200 }, async () => {
    while (opened < strangers) {
      const method = methods[opened++ % methods.length] as string;
      expect(await openCall(ports[1] as number, method)).toBe("16");
      refused++;
    }
  });
  const honest = async (_: unknown, caller: number): Promise<void> => {
    for (let round = 0; round < 3 || refused < strangers; round++) {
      let key = `${caller}-${round}`;
      while (asker.pick(key) === undefined) key += "k";
      expect(Buffer.from((await group.get(key)) ?? []).toString()).toBe(`owner's ${key}`);
      // A caller with other work: without a pause, the callers would leave the strangers no time.
      await pause(5);
    }
  };
  await Promise.all([...attacks, ...Array.from({ length: honestCallers }, honest)]);
  expect(refused).toBe(strangers);
});
