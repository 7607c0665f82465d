import { describe, expect, it } from "vitest";
import type { PeerContactAnswer } from "../peer.ts";
import { ContactLog } from "./contact-log.ts";

function logOf(...ids: string[]): ContactLog {
  const log = new ContactLog();
  log.setMembers(ids);
  for (const [index, id] of ids.entries()) expect(log.heard(id, answer(index + 1))).toBeUndefined();
  return log;
}

function answer(session: number, over: Partial<PeerContactAnswer> = {}): PeerContactAnswer {
  return { session, promise: 7, owes: false, ...over };
}

describe("with one other node", () => {
  it("drops once after that node crashed", () => {
    const log = logOf("s");
    log.failed("s");
    expect(log.heard("s", answer(11))).toBe("restarted");
    expect(log.heard("s", answer(11))).toBeUndefined();
  });

  it("drops when the crash was too short to be noticed", () => {
    expect(logOf("s").heard("s", answer(11))).toBe("restarted");
  });

  it("keeps the cache through restarts in good order", () => {
    const log = logOf("s");
    for (let session = 1; session <= 100; session++) {
      expect(log.saidGoodbye("s", session)).toBeUndefined();
      log.failed("s");
      // The process that leaves is heard once more.
      expect(log.heard("s", answer(session))).toBeUndefined();
      log.failed("s");
      expect(log.heard("s", answer(session + 1))).toBeUndefined();
    }
  });

  it("drops when the goodbye comes from another process than the one it was cut off from", () => {
    const log = logOf("s");
    log.failed("s");
    expect(log.saidGoodbye("s", 11)).toBe("restarted");
    expect(log.heard("s", answer(12))).toBeUndefined();
  });

  it("keeps the cache when the same process is back, which delivers what it owes", () => {
    const log = logOf("s");
    log.failed("s");
    expect(log.heard("s", answer(1))).toBeUndefined();
  });

  it("keeps the cache at the first contact", () => {
    const log = new ContactLog();
    log.setMembers(["s"]);
    log.failed("s");
    expect(log.heard("s", answer(1))).toBeUndefined();
  });

  it("drops when that node crashes and is removed", () => {
    const log = logOf("s");
    log.failed("s");
    expect(log.setMembers([])).toEqual(["s"]);
    log.setMembers(["s"]);
    expect(log.heard("s", answer(1))).toBeUndefined();
  });

  it("keeps the cache when that node leaves in good order and is removed", () => {
    const log = logOf("s");
    log.saidGoodbye("s", 1);
    log.failed("s");
    expect(log.setMembers([])).toEqual([]);
  });
});

describe("with several others", () => {
  it("keeps the cache when one of them crashes", () => {
    for (const ids of [
      ["s", "t"],
      ["s", "t", "u"],
      ["s", "t", "u", "v"],
    ]) {
      const log = logOf(...ids);
      log.failed("s");
      expect(log.heard("s", answer(11))).toBeUndefined();
      expect(log.heard("s", answer(12))).toBeUndefined();
    }
  });

  it("drops when it lost most of them, and one of these has restarted", () => {
    const log = logOf("s", "t", "u");
    log.failed("t");
    log.failed("s");
    expect(log.heard("t", answer(2))).toBeUndefined();
    expect(log.heard("s", answer(11))).toBe("restarted");
  });

  it("keeps the cache when one restarts while most others are reachable", () => {
    const log = logOf("s", "t", "u", "v", "w");
    log.failed("t");
    log.failed("s");
    expect(log.heard("s", answer(11))).toBeUndefined();
  });

  it("drops after a pause of this process", () => {
    const log = logOf("s", "t", "u");
    log.paused();
    expect(log.heard("t", answer(2))).toBeUndefined();
    expect(log.heard("s", answer(11))).toBe("restarted");
  });

  it("drops when a peer crashed that still owed something, though it was reachable", () => {
    const log = logOf("s", "t", "u");
    log.heard("s", answer(1, { owes: true }));
    expect(log.heard("s", answer(11))).toBe("restarted");
  });

  it("drops when a peer has forgotten what it owed", () => {
    const log = logOf("s", "t", "u");
    expect(log.heard("s", answer(1, { promise: 0 }))).toBeUndefined();
    expect(log.heard("s", answer(1, { promise: 8 }))).toBe("forgot");
    expect(log.heard("s", answer(1, { promise: 8 }))).toBeUndefined();
  });
});

describe("with several processes behind one address", () => {
  it("does not drop each time another one answers", () => {
    const log = logOf("s");
    expect(log.heard("s", answer(11, { promise: 8 }))).toBe("restarted");
    for (let round = 0; round < 100; round++) {
      const drops = [log.heard("s", answer(1)), log.heard("s", answer(11, { promise: 8 }))];
      expect(drops).toEqual([undefined, undefined]);
    }
    expect(log.heard("s", answer(12))).toBeUndefined();
  });

  it("reports once those that do not know each other", () => {
    const reported: string[] = [];
    const log = new ContactLog((id) => reported.push(id));
    log.setMembers(["s", "t"]);
    for (const session of [1, 11]) log.heard("s", answer(session));
    expect(reported).toEqual([]);
    for (const session of [1, 11, 1]) log.heard("s", answer(session));
    expect(reported).toEqual(["s"]);
  });

  it("reports neither workers that come and go, nor processes that follow each other", () => {
    const reported: string[] = [];
    const log = new ContactLog((id) => reported.push(id));
    log.setMembers(["s"]);
    for (const session of [1, 0, 1, 0, 2, 0, 1]) log.heard("s", answer(session));
    for (const session of [3, 4, 4, 5]) {
      log.heard("s", answer(session));
      log.saidGoodbye("s", session);
      log.heard("s", answer(session));
    }
    expect(reported).toEqual([]);
  });

  it("drops once after each time that it was cut off", () => {
    const log = new ContactLog();
    log.setMembers(["s"]);
    expect(log.heard("s", answer(0, { promise: 1 }))).toBeUndefined();
    expect(log.heard("s", answer(0, { promise: 2 }))).toBeUndefined();
    log.failed("s");
    expect(log.heard("s", answer(0, { promise: 2 }))).toBe("restarted");
    expect(log.heard("s", answer(0, { promise: 1 }))).toBeUndefined();
  });
});

it("ignores nodes that are not members, and remembers a bounded number of former ones", () => {
  const log = logOf("s");
  expect(log.heard("x", answer(5))).toBeUndefined();
  expect(log.heard("x", answer(6))).toBeUndefined();
  for (let number = 0; number < 1000; number++) log.setMembers(["s", `n${number}`]);
  expect(log.size).toBeLessThan(300);
});
