import { createManualClock } from "@parsec/testkit";
import { expect, it } from "vitest";
import { Members } from "./nats-members.ts";

const silenceMs = 3500;

function setup(joinDelayMs = 200) {
  const clock = createManualClock({ startMs: 1000 });
  const changes: string[] = [];
  const alive: string[] = [];
  const members = new Members({
    selfId: "me",
    clock,
    silenceMs,
    joinDelayMs,
    onChange: (ids) => changes.push(ids.join(" ")),
    onAlive: (id) => alive.push(id),
  });
  const beats = new Map<string, number>();
  /** A new heartbeat. */
  const beat = (id: string, session = 1): void => {
    const next = (beats.get(id) ?? 0) + 1;
    beats.set(id, next);
    members.heard({ id, session, beat: next, placement: "slots" });
  };
  /** Reads the record in the bucket once more. */
  const reread = (id: string, session = 1): void =>
    members.heard({ id, session, beat: beats.get(id) ?? 0, placement: "slots" });
  /** Lets that many seconds pass in which these nodes, and this one, send heartbeats. */
  const live = (seconds: number, ids: readonly string[], echo = true): void => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1000);
      for (const id of ids) beat(id);
      if (echo) members.echo();
      members.judge();
    }
  };
  return { clock, changes, alive, members, beat, reread, live };
}

it("accepts the nodes of the first read at once, and reports them once", () => {
  const { members, beat, changes } = setup();
  beat("b");
  beat("a");
  expect(changes).toEqual([]);
  members.echo();
  expect(changes).toEqual(["a b me"]);
});

it("delays nodes that join later", () => {
  const { members, beat, changes, clock } = setup();
  members.echo();
  beat("a");
  clock.advance(199);
  expect(changes).toEqual(["me"]);
  clock.advance(1);
  expect(changes).toEqual(["me", "a me"]);
});

it("ignores a node that leaves before it has joined", () => {
  const { members, beat, changes, clock } = setup();
  members.echo();
  beat("a");
  clock.advance(100);
  members.left("a");
  clock.advance(10_000);
  expect(changes).toEqual(["me"]);
  expect(clock.pendingCount).toBe(0);
});

it("drops a node that leaves at once", () => {
  const { members, beat, changes } = setup();
  beat("a");
  members.echo();
  members.left("a");
  members.left("nobody");
  expect(changes).toEqual(["a me", "me"]);
});

it("drops only nodes that fall silent", () => {
  const { beat, live, members, changes } = setup();
  beat("a");
  beat("b");
  members.echo();
  live(3, ["b"]);
  expect(changes).toEqual(["a b me"]);
  live(1, ["b"]);
  expect(changes).toEqual(["a b me", "b me"]);
  live(60, ["b"]);
  expect(changes).toHaveLength(2);
});

it("does not count an old record as a heartbeat, neither of a member nor of a former one", () => {
  const { beat, reread, clock, members, changes } = setup();
  beat("a");
  members.echo();
  for (let second = 0; second < 20; second++) {
    clock.advance(1000);
    reread("a");
    members.echo();
    members.judge();
  }
  expect(changes).toEqual(["a me", "me"]);
  beat("a");
  clock.advance(1000);
  expect(changes.at(-1)).toBe("a me");
});

it("drops no node while its own heartbeats are not received, and restarts all deadlines afterwards", () => {
  const { beat, live, members, changes } = setup();
  beat("a");
  beat("b");
  members.echo();
  live(60, [], false);
  expect(members.hears).toBe(false);
  expect(changes).toEqual(["a b me"]);
  members.echo();
  members.judge();
  live(3, ["b"]);
  expect(changes).toEqual(["a b me"]);
  live(1, ["b"]);
  expect(changes).toEqual(["a b me", "b me"]);
});

it("drops no node after this process itself was suspended", () => {
  const { beat, clock, members, changes } = setup();
  beat("a");
  members.echo();
  clock.advance(60_000);
  members.judge();
  expect(changes).toEqual(["a me"]);
});

it("counts the heartbeats of a restarted member, whose numbers start over", () => {
  const { members, alive, changes, live } = setup();
  members.heard({ id: "a", session: 1, beat: 500, placement: "slots" });
  members.echo();
  members.heard({ id: "a", session: 2, beat: 1, placement: "slots" });
  members.heard({ id: "a", session: 2, beat: 1, placement: "slots" });
  expect(alive).toEqual(["a"]);
  live(3, []);
  members.heard({ id: "a", session: 2, beat: 2, placement: "slots" });
  live(3, []);
  expect(changes).toEqual(["a me"]);
});

it("delays a flapping node more and more, and resets that after a minute", () => {
  const { beat, live, clock, members } = setup();
  members.echo();
  const joinMs = (): number => {
    beat("a");
    const from = clock.now();
    while (!members.ids.includes("a")) clock.advance(50);
    return clock.now() - from;
  };
  expect(joinMs()).toBe(200);
  live(5, []);
  expect(joinMs()).toBe(400);
  live(5, []);
  expect(joinMs()).toBe(800);
  live(5, []);
  live(60, []);
  expect(joinMs()).toBe(200);
});

it("has no timer and reports nothing after it was closed", () => {
  const { beat, members, changes, clock } = setup();
  members.echo();
  beat("a");
  members.close();
  clock.advance(10_000);
  beat("b");
  members.left("a");
  expect(clock.pendingCount).toBe(0);
  expect(changes).toEqual(["me"]);
});
