import { createManualClock } from "@parsec/testkit";
import { expect, it } from "vitest";
import { createMapState } from "../../test/map-state.ts";
import { CopyThrottle } from "../replication/copy-throttle.ts";
import { PartitionLog } from "../replication/partition-log.ts";
import { Replica } from "../replication/replica.ts";
import { encodePosition } from "../replication/replicate-message.ts";
import type { RingTable, TablePart } from "../table/ring-table.ts";
import { encodeAnswer } from "../wire/ring-message.ts";
import { OwnerBackups } from "./owner-backups.ts";

const part: TablePart = {
  owner: "a",
  backups: ["b"],
  epoch: 1,
  next: undefined,
  recovery: "none",
  lost: false,
};
const members = ["a", "b", "c"].map((id) => {
  return { id, session: `${id}1`, address: id, zone: "", weight: 1, present: true };
});
const table: RingTable = { incarnation: "i", epoch: 1, replicas: 2, members, parts: [part] };

it("stops waiting for a proposed backup when a newer plan does not want it", async () => {
  const clock = createManualClock();
  const now = (): number => clock.now();
  const replica = new Replica(0, createMapState());
  replica.begin();
  const log = new PartitionLog({ epoch: 1, replica, now, maxRetainedBytes: 1000 });
  let isSilent = false;
  let proposals = 0;
  // The newcomer confirms its copy once, and then falls silent.
  const send = async (address: string): Promise<Uint8Array> => {
    if (address === "c" && isSilent) return new Promise(() => {});
    const position = log.positionAt(log.lastSeq);
    return encodeAnswer({
      outcome: "done",
      body: encodePosition({ holds: true, damagedAt: undefined, position }),
    });
  };
  const propose = async (): Promise<boolean> => {
    proposals++;
    return true;
  };
  const backups: OwnerBackups = new OwnerBackups(part, {
    context: {
      selfId: "a",
      clock,
      limits: { pieceBytes: 1000, maxRetainedBytes: 1000, replicaTimeoutMs: 700, hookTimeoutMs: 1 },
      throttle: new CopyThrottle({ clock, maxCopies: 1, bytesPerSecond: 1_000_000 }),
      ring: { table: () => table, propose, send, resync: () => {} },
    },
    log,
    replica,
    head: (kind) => ({ kind, incarnation: "i", epoch: 1, partition: 0, partEpoch: 1 }),
    change: () => undefined,
    onProgress: () => {},
    onDropped: () => {},
  });
  backups.update(part, ["c"]);
  await settle();
  isSilent = true;
  clock.advance(1);
  backups.consider();
  expect(backups.isChanging).toBe(true);
  let isDone = false;
  void log.append(Buffer.from("k=1"), "one-backup").then(() => {
    isDone = true;
  });
  await settle();
  expect(isDone).toBe(false);
  backups.update(part, ["b"]);
  clock.advance(2);
  await settle();
  expect(isDone).toBe(true);
  expect(backups.isChanging).toBe(false);
  expect(proposals).toBe(0);
  backups.end();
});

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
