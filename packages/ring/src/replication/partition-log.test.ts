import { ParsecError } from "@parsec/core";
import { describe, expect, it } from "vitest";
import { createMapState, type MapState } from "../../test/map-state.ts";
import { type LogFollower, PartitionLog, type WriteAck } from "./partition-log.ts";
import { Replica } from "./replica.ts";

interface Stage {
  readonly log: PartitionLog;
  readonly state: MapState;
  /** The outcome of each write, in the order in which they ended. */
  readonly ended: string[];
  now: number;
  write(value: string, ack?: WriteAck): void;
  follower(id: string): LogFollower & { confirmedSeq: number };
}

function stage(): Stage {
  const state = createMapState();
  const replica = new Replica(0, state);
  replica.begin();
  const ended: string[] = [];
  const made: Stage = {
    state,
    ended,
    now: 0,
    log: new PartitionLog({ epoch: 3, replica, now: () => made.now, maxRetainedBytes: 1000 }),
    write(value, ack = "one-backup") {
      made.log.append(Buffer.from(`k=${value}`), ack).then(
        (answer) => ended.push(`${value} done as ${Buffer.from(answer).toString()}`),
        (error: Error) => ended.push(`${value} failed: ${error.message}`),
      );
    },
    follower(id) {
      const follower = { id, confirmedSeq: 0, neededSeq: 0, advance() {} };
      made.log.follow(follower);
      return follower;
    },
  };
  return made;
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("the partition log", () => {
  it("applies a write only after a backup has it, so that no reader sees a write that may be lost", async () => {
    const { log, state, ended, write, follower } = stage();
    const b = follower("b");
    log.require([new Set(["b"])]);
    write("1");
    write("2");
    await settle();
    expect(ended).toEqual([]);
    expect(state.partitions.get(0)?.get("k")).toBeUndefined();
    b.confirmedSeq = 1;
    log.advance();
    await settle();
    expect(ended).toEqual(["1 done as 1"]);
    expect(state.partitions.get(0)?.get("k")).toBe("1");
    b.confirmedSeq = 2;
    log.advance();
    await settle();
    expect(ended).toEqual(["1 done as 1", "2 done as 2"]);
  });

  it("waits for one backup or for all, as the write demands, and keeps the order", async () => {
    const { log, ended, write, follower } = stage();
    const [b, c] = [follower("b"), follower("c")];
    log.require([new Set(["b", "c"])]);
    write("all", "all");
    write("owner", "owner");
    b.confirmedSeq = 2;
    log.advance();
    await settle();
    expect(ended).toEqual([]);
    c.confirmedSeq = 1;
    log.advance();
    await settle();
    expect(ended).toEqual(["all done as 1", "owner done as 2"]);
  });

  it("requires both lists of backups while it is unknown which one the table holds", async () => {
    const { log, ended, write, follower } = stage();
    const [b, c] = [follower("b"), follower("c")];
    log.require([new Set(["b"]), new Set(["c"])]);
    write("1");
    b.confirmedSeq = 1;
    log.advance();
    await settle();
    expect(ended).toEqual([]);
    c.confirmedSeq = 1;
    log.advance();
    await settle();
    expect(ended).toEqual(["1 done as 1"]);
  });

  it("continues without backups only after the table lists none", async () => {
    const made = stage();
    const { log, ended, write, follower } = made;
    follower("b");
    log.require([new Set(["b"])]);
    write("1");
    made.now = 500;
    expect(log.blockersSince(100)).toEqual(["b"]);
    expect(log.blockersSince(-1)).toEqual([]);
    log.advance();
    await settle();
    expect(ended).toEqual([]);
    log.require([new Set()]);
    await settle();
    expect(ended).toEqual(["1 done as 1"]);
    expect(log.blockersSince(100)).toEqual([]);
  });

  it("rejects pending and later writes when it ends", async () => {
    const { log, ended, write } = stage();
    log.require([new Set(["b"])]);
    write("1");
    log.end(new ParsecError("PEER_UNREACHABLE", "it is over"));
    write("2");
    await log.whenIdle();
    await settle();
    expect(ended).toEqual(["1 failed: it is over", "2 failed: it is over"]);
  });

  it("reports an error of the application to the writer only", async () => {
    const { log, ended, write } = stage();
    log.require([]);
    write("refused");
    write("2");
    await log.whenIdle();
    await settle();
    expect(ended.sort()).toEqual([
      "2 done as 2",
      "refused failed: the application does not want it",
    ]);
    expect(log.committedSeq).toBe(2);
  });

  it("keeps the operations that a backup lacks, up to a limit", async () => {
    const { log, write, follower } = stage();
    const b = follower("b") as LogFollower & { confirmedSeq: number };
    log.require([]);
    for (let at = 1; at <= 10; at++) write(String(at));
    await settle();
    expect(log.after(0, 1e6)).toHaveLength(10);
    expect(log.after(4, 4)).toHaveLength(1);
    expect(log.after(10, 4)).toEqual([]);
    write("x".repeat(2000));
    await settle();
    expect(log.after(b.confirmedSeq, 1e6)).toBeUndefined();
  });

  it("rejects writes when too many are waiting", async () => {
    const { log, ended, write } = stage();
    log.require([new Set(["b"])]);
    write("x".repeat(3000));
    write("1");
    await settle();
    expect(ended).toEqual([
      "1 failed: too many writes of the partition are waiting for its backups",
    ]);
  });

  it("distinguishes its own history from another", () => {
    const { log, write } = stage();
    log.require([]);
    write("1");
    expect(log.seqOf({ epoch: 0, seq: 0 })).toBe(0);
    expect(log.seqOf({ epoch: 3, seq: 1 })).toBe(1);
    expect(log.seqOf({ epoch: 3, seq: 2 })).toBeUndefined();
    expect(log.seqOf({ epoch: 2, seq: 1 })).toBeUndefined();
  });
});
