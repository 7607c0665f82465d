import { expect, it } from "vitest";
import { SteppedClock } from "../../../test/stepped-clock.ts";
import { ParsecError } from "../../errors.ts";
import { createLivenessCheck } from "./liveness-check.ts";

function setup() {
  const clock = new SteppedClock();
  const pingedAt: number[] = [];
  const deadAt: number[] = [];
  const peer: { ping: "answers" | "fails" | "hangs"; owes: boolean } = {
    ping: "hangs",
    owes: true,
  };
  const watch = createLivenessCheck({
    silenceMs: 1000,
    pingTimeoutMs: 500,
    clock,
    ping: async () => {
      pingedAt.push(clock.now() - 1000);
      if (peer.ping === "hangs") await new Promise(() => {});
      if (peer.ping === "fails") throw new ParsecError("PEER_UNREACHABLE", "refused");
    },
    awaitsAnswer: () => peer.owes,
    onDead: (error) => {
      expect(error.code).toBe("PEER_UNREACHABLE");
      deadAt.push(clock.now() - 1000);
    },
  });
  return { clock, pingedAt, deadAt, peer, watch };
}

it("declares a silent peer dead when a ping times out", async () => {
  const { clock, watch, pingedAt, deadAt } = setup();
  watch.sent();
  await clock.advance(10_000);
  expect(pingedAt).toEqual([1000]);
  expect(deadAt).toEqual([1500]);
  expect(clock.pendingCount).toBe(0);
});

it("declares a silent peer dead at once when the ping fails", async () => {
  const { clock, watch, peer, deadAt } = setup();
  peer.ping = "fails";
  watch.sent();
  await clock.advance(10_000);
  expect(deadAt).toEqual([1000]);
});

it("waits for a peer that answers pings while its origin is slow", async () => {
  const { clock, watch, peer, pingedAt, deadAt } = setup();
  peer.ping = "answers";
  watch.sent();
  await clock.advance(3500);
  expect(pingedAt).toEqual([1000, 2000, 3000]);
  peer.ping = "hangs";
  await clock.advance(2000);
  expect(deadAt).toEqual([4500]);
});

it("does not ping while bytes arrive, nor when no answer is awaited", async () => {
  const { clock, watch, pingedAt } = setup();
  watch.sent();
  for (let times = 0; times < 5; times++) {
    await clock.advance(900);
    watch.heard();
  }
  watch.idle();
  await clock.advance(5000);
  expect(pingedAt).toEqual([]);
  expect(clock.pendingCount).toBe(0);
});

it("counts bytes that arrived during the ping as alive", async () => {
  const { clock, watch, deadAt } = setup();
  watch.sent();
  await clock.advance(1200);
  watch.heard();
  await clock.advance(400);
  expect(deadAt).toEqual([]);
  await clock.advance(2000);
  expect(deadAt).toHaveLength(1);
});

it("stops checking when all callers have aborted and the peer has answered a ping", async () => {
  const { clock, watch, peer, pingedAt } = setup();
  peer.ping = "answers";
  peer.owes = false;
  watch.sent();
  await clock.advance(10_000);
  expect(pingedAt).toEqual([1000]);
  expect(clock.pendingCount).toBe(0);
});

it("cancels its timer and its ping when it is closed", async () => {
  const { clock, watch, deadAt } = setup();
  watch.sent();
  await clock.advance(1100);
  watch.close();
  await clock.advance(5000);
  expect(deadAt).toEqual([]);
  expect(clock.pendingCount).toBe(0);
});
