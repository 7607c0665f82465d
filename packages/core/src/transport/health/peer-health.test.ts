import { expect, it } from "vitest";
import { SteppedClock } from "../../../test/stepped-clock.ts";
import { ParsecError } from "../../errors.ts";
import { createPeerHealth } from "./peer-health.ts";

const lost = new ParsecError("PEER_UNREACHABLE", "connection refused");

function setup(random: () => number = () => 1) {
  const clock = new SteppedClock();
  const pingedAt: number[] = [];
  const changes: string[] = [];
  const peer = { answers: false, hangs: false };
  const health = createPeerHealth("http://owner", {
    failures: 3,
    minBackoffMs: 100,
    maxBackoffMs: 1000,
    pingTimeoutMs: 50,
    clock,
    random,
    ping: async (signal) => {
      pingedAt.push(clock.now() - 1000);
      if (peer.hangs) await new Promise((_, reject) => signal.addEventListener("abort", reject));
      if (!peer.answers) throw lost;
    },
    onChange: (change) => changes.push(change.state),
  });
  return { clock, pingedAt, changes, peer, health };
}

it("opens the circuit after three consecutive failures, not after three with a success between", () => {
  const { health, changes } = setup();
  health.failed(lost);
  health.failed(lost);
  health.succeeded();
  health.failed(lost);
  health.failed(lost);
  expect(health.down).toBeUndefined();
  health.failed(lost);
  expect(health.down).toMatchObject({ code: "PEER_UNREACHABLE", cause: lost });
  health.failed(lost);
  expect(changes).toEqual(["down"]);
  health.close();
});

it("pings with exponential backoff up to the longest, and closes the circuit when the peer answers", async () => {
  const { clock, health, pingedAt, peer, changes } = setup();
  health.markDown(lost);
  await clock.advance(4000);
  expect(pingedAt).toEqual([100, 300, 700, 1500, 2500, 3500]);
  peer.answers = true;
  await clock.advance(500);
  expect(health.down).toBeUndefined();
  expect(changes).toEqual(["down", "up"]);
  expect(clock.pendingCount).toBe(0);
});

it("randomizes half of the backoff", async () => {
  const { clock, health, pingedAt } = setup(() => 0);
  health.markDown(lost);
  await clock.advance(149);
  expect(pingedAt).toEqual([50]);
  await clock.advance(1);
  expect(pingedAt).toEqual([50, 150]);
  health.close();
});

it("limits a ping by pingTimeoutMs", async () => {
  const { clock, health, pingedAt, peer } = setup();
  peer.hangs = true;
  health.markDown(lost);
  await clock.advance(400);
  expect(pingedAt).toEqual([100, 350]);
  health.close();
});

it("closes the circuit at once when an older request succeeds", () => {
  const { health, clock } = setup();
  health.markDown(lost);
  health.succeeded();
  expect(health.down).toBeUndefined();
  expect(clock.pendingCount).toBe(0);
});

it("pings at once on probe, with at most one ping in flight", async () => {
  const { clock, health, pingedAt, peer, changes } = setup();
  health.probe();
  health.markDown(lost);
  await clock.advance(310);
  health.probe();
  await clock.advance(0);
  expect(pingedAt).toEqual([100, 300, 310]);
  peer.hangs = true;
  health.probe();
  health.probe();
  await clock.advance(0);
  expect(pingedAt).toEqual([100, 300, 310, 310]);
  peer.hangs = false;
  peer.answers = true;
  await clock.advance(50);
  health.probe();
  await clock.advance(0);
  expect(changes).toEqual(["down", "up"]);
  health.probe();
  await clock.advance(10_000);
  expect(pingedAt).toHaveLength(5);
  expect(clock.pendingCount).toBe(0);
});

it("cancels its timer and its ping when it is closed", async () => {
  const { clock, health, peer, changes } = setup();
  peer.hangs = true;
  health.markDown(lost);
  await clock.advance(100);
  health.close();
  await clock.advance(10_000);
  expect(clock.pendingCount).toBe(0);
  expect(changes).toEqual(["down"]);
});
