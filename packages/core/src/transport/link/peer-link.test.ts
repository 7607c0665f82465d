import { expect, it } from "vitest";
import { connectionLost, LoopbackChannel } from "../../../test/loopback-channel.ts";
import { SteppedClock, settled } from "../../../test/stepped-clock.ts";
import { isParsecError, ParsecError } from "../../errors.ts";
import type { PeerAnswer, PeerHost } from "../../peer.ts";
import { createFrameServer } from "../server/frame-server.ts";
import { resolveFrameLimits } from "../wire/limits.ts";
import { createPeerLink } from "./peer-link.ts";

const answer: PeerAnswer = { value: Buffer.from("v"), ttlMs: 1, fence: 0, ratePerMinute: 0 };

function setup({
  host = { lookup: () => answer, invalidate: () => {} },
  closeTimeoutMs = 0,
}: {
  readonly host?: PeerHost;
  readonly closeTimeoutMs?: number;
} = {}) {
  const channel = new LoopbackChannel(host);
  const clock = new SteppedClock();
  const changes: string[] = [];
  /** `silent`: control frames get no answer on the present connections. */
  const peer = { stopped: false, silent: false, renewed: 0 };
  const server = createFrameServer({ host, limits: resolveFrameLimits(), sender: 2 });
  const link = createPeerLink({
    peerId: "http://owner",
    channel: {
      send: (frame) => channel.send(frame),
      cancel: ({ bytes }) => server.cancellation(bytes),
      async control({ bytes, timeoutMs, signal }) {
        if (peer.stopped || peer.silent) {
          await new Promise((_, reject) => {
            const late = new ParsecError("TIMEOUT", "too late");
            const cancelTimer = clock.schedule(timeoutMs, () => reject(late));
            signal?.addEventListener("abort", () => {
              cancelTimer();
              reject(signal.reason);
            });
          });
        }
        return server.invalidations(bytes);
      },
      close: () => {},
      renew() {
        peer.renewed++;
        peer.silent = false;
        channel.deaf = false;
      },
      ping: async () => {
        if (peer.stopped) await new Promise(() => {});
        if (channel.broken !== undefined) throw channel.broken;
      },
    },
    clock,
    random: () => 1,
    sender: 1,
    limits: resolveFrameLimits(),
    maxLookupsPerFrame: 100,
    maxQueued: 100,
    maxUnheardFrames: 4,
    maxOpenFrames: 16,
    health: {
      failures: 3,
      minBackoffMs: 100,
      maxBackoffMs: 1000,
      pingTimeoutMs: 1000,
      silenceMs: 1000,
    },
    closeTimeoutMs,
    onChange: (change) => changes.push(change.state),
  });
  const ask = (timeoutMs = 60_000) =>
    link.lookup({ group: "g", key: "k", input: undefined, fence: 0, timeoutMs }, undefined).then(
      () => "ok",
      (error: unknown) => (isParsecError(error) ? error.code : "foreign"),
    );
  const tell = (timeoutMs = 60_000) =>
    link.invalidate({ group: "g", target: { kind: "all" }, fence: 1 }, { timeoutMs }).then(
      () => "applied",
      (error: unknown) => (isParsecError(error) ? error.code : "foreign"),
    );
  return { channel, clock, changes, peer, link, ask, tell };
}

it("opens the circuit after failures and closes it once the peer answers a ping", async () => {
  const { channel, clock, changes, ask, link } = setup();
  channel.broken = connectionLost;
  for (let times = 0; times < 3; times++) expect(await ask()).toBe("PEER_UNREACHABLE");
  expect(await ask()).toBe("PEER_UNREACHABLE");
  expect(channel.sent).toHaveLength(3);
  channel.broken = undefined;
  await clock.advance(100);
  expect(await ask()).toBe("ok");
  expect(changes).toEqual(["down", "up"]);
  await link.close();
  await clock.advance(60_000);
  expect(clock.pendingCount).toBe(0);
});

it("keeps the circuit closed for an overloaded peer and rejects its callers with OVERLOADED", async () => {
  const { channel, changes, ask, link } = setup();
  channel.broken = new ParsecError("OVERLOADED", "busy");
  for (let times = 0; times < 5; times++) expect(await ask()).toBe("OVERLOADED");
  channel.broken = undefined;
  expect(await ask()).toBe("ok");
  expect(changes).toEqual([]);
  await link.close();
});

it("rejects callers of a stopped peer in two seconds, whatever their timeout, and later ones at once", async () => {
  const { channel, clock, peer, ask, link } = setup();
  expect(await ask()).toBe("ok");
  channel.deaf = true;
  peer.stopped = true;
  const waiting = Promise.all([ask(), ask()]);
  await clock.advance(2000);
  expect(await waiting).toEqual(["PEER_UNREACHABLE", "PEER_UNREACHABLE"]);
  expect(await ask()).toBe("PEER_UNREACHABLE");
  await link.close();
});

it("notices a stopped peer even when no caller waits that long", async () => {
  const { channel, clock, peer, ask, changes, link } = setup();
  channel.deaf = true;
  peer.stopped = true;
  for (let times = 0; times < 10; times++) {
    const late = ask(100);
    await clock.advance(200);
    await late;
  }
  expect(changes).toEqual(["down"]);
  await link.close();
});

it("rejects invalidations for a stopped peer in two seconds, and later ones after the ping timeout", async () => {
  const { channel, changes, clock, peer, tell, link } = setup();
  expect(await tell()).toBe("applied");
  channel.deaf = true;
  peer.stopped = true;
  const waiting = Promise.all([tell(), tell()]);
  await clock.advance(2000);
  expect(await waiting).toEqual(["PEER_UNREACHABLE", "PEER_UNREACHABLE"]);
  expect(changes).toEqual(["down"]);
  const later = tell();
  await clock.advance(1000);
  expect(await later).toBe("TIMEOUT");
  peer.stopped = false;
  expect(await tell()).toBe("applied");
  await link.close();
});

it("does not ping a peer that has applied an invalidation", async () => {
  const { clock, tell, link } = setup();
  expect(await tell()).toBe("applied");
  await clock.advance(10_000);
  await link.close();
  expect(clock.pendingCount).toBe(0);
});

it("waits for a live peer whose origin is slow until the caller's own deadline", async () => {
  const { clock, ask, link, changes } = setup({
    host: { lookup: () => new Promise(() => {}), invalidate: () => {} },
  });
  const slow = ask(10_000);
  await clock.advance(9000);
  expect(changes).toEqual([]);
  await clock.advance(1010);
  expect(await slow).toBe("TIMEOUT");
  await link.close();
});

it("rejects callers that still wait after closeTimeoutMs", async () => {
  const { clock, ask, link, channel } = setup({
    host: { lookup: () => new Promise(() => {}), invalidate: () => {} },
    closeTimeoutMs: 500,
  });
  const slow = ask();
  await settled();
  const closing = link.close();
  await clock.advance(500);
  expect(await slow).toBe("CLOSED");
  await closing;
  await link.close();
  expect(clock.pendingCount).toBe(0);
  expect(channel.cancelled).toBe(1);
});

it("sends what a silent connection swallowed again on a new one, while the peer answers pings", async () => {
  const { channel, clock, changes, peer, ask, tell, link } = setup();
  channel.deaf = true;
  peer.silent = true;
  const lookups = [ask(), ask()];
  const invalidation = tell();
  await clock.advance(1999);
  expect(peer.renewed).toBe(0);
  await clock.advance(1);
  expect(peer.renewed).toBe(1);
  expect(await Promise.all(lookups)).toEqual(["ok", "ok"]);
  expect(await invalidation).toBe("applied");
  expect(changes).toEqual([]);
  await link.close();
  expect(clock.pendingCount).toBe(0);
});

it("finds a silent connection among others that are heard", async () => {
  const { channel, clock, peer, ask, link } = setup();
  channel.deaf = true;
  const lookup = ask();
  await settled();
  channel.deaf = false;
  for (let step = 0; step < 25; step++) {
    await clock.advance(100);
    expect(await ask()).toBe("ok");
  }
  expect(await lookup).toBe("ok");
  expect(peer.renewed).toBe(1);
  await link.close();
});

it("sends nothing again that the owner is working on, and nothing twice", async () => {
  const host: PeerHost = { lookup: () => new Promise(() => {}), invalidate: () => {} };
  const slow = setup({ host });
  const waiting = slow.ask(10_000);
  await slow.clock.advance(9000);
  expect([slow.channel.sent.length, slow.peer.renewed]).toEqual([1, 0]);
  await slow.clock.advance(2000);
  expect(await waiting).toBe("TIMEOUT");
  await slow.link.close();

  const { channel, clock, ask, link } = setup();
  channel.deaf = true;
  const renewing = channel.send.bind(channel);
  // Every connection swallows its frames.
  channel.send = (frame) => {
    channel.deaf = true;
    return renewing(frame);
  };
  const lost = ask(20_000);
  await clock.advance(21_000);
  expect(await lost).toBe("TIMEOUT");
  expect(channel.sent).toHaveLength(2);
  await link.close();
  expect(clock.pendingCount).toBe(0);
});
