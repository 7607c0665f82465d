import { appendFileSync, cpSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, readdir, rm, stat, symlink } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { pino } from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "../../test/temporary-folder.ts";
import { CacheData } from "../cache/cache-data.ts";
import { encodeOperation } from "../cache/cache-operation.ts";
import { createCacheState } from "../cache/cache-state.ts";
import {
  openPersistentState,
  type PersistentState,
  type PersistOptions,
} from "./persistent-state.ts";

const partition = 7;

/** A state on disk, used as the ring uses it. */
interface Disk {
  readonly persistent: PersistentState;
  set(key: string, value: string): unknown;
  remove(key: string): unknown;
  /** Restores a copy of another node after that many operations. */
  restore(values: Readonly<Record<string, string>>, seq: number): Promise<void>;
  values(): Record<string, string>;
  seq(): number | undefined;
}

async function openDisk(folder: string, options: Partial<PersistOptions> = {}): Promise<Disk> {
  const data = new CacheData(() => 0);
  const inner = createCacheState(data, "node-1");
  const log = pino({ level: "silent" });
  const shared = { folder, partitions: 64, sync: "second", log } as const;
  const persistent = await openPersistentState(inner, { ...shared, ...options });
  onTestFinished(() => persistent.close());
  const { state } = persistent;
  const apply = (operation: Uint8Array): unknown => {
    const { epoch = 1, seq = 0 } = state.position?.(partition) ?? {};
    const position = { epoch: Math.max(epoch, 1), seq: seq + 1 };
    return state.apply(operation, { partition, position, isOwner: true });
  };
  return {
    persistent,
    set: (key, value) => apply(encodeOperation({ kind: "set", key, value, expiresAtMs: 0 })),
    remove: (key) => apply(encodeOperation({ kind: "delete", key, nowMs: 0 })),
    async restore(values, seq) {
      const other = new CacheData(() => 0);
      for (const [key, value] of Object.entries(values)) {
        other.set(partition, { key, value, expiresAtMs: 0 });
      }
      const pieces = createCacheState(other, "node-2").snapshot(partition);
      const chunks = (async function* () {
        yield* pieces;
      })();
      await state.restore(chunks, { partition, position: { epoch: 5, seq } });
    },
    values() {
      return Object.fromEntries(data.entriesOf(partition).map(({ key, value }) => [key, value]));
    },
    seq: () => state.position?.(partition)?.seq,
  };
}

async function filesOf(folder: string): Promise<string[]> {
  return (await readdir(join(folder, String(partition)))).sort();
}

describe("data after a restart", () => {
  test("is complete after a crash", async () => {
    const folder = await temporaryFolder();
    const first = await openDisk(folder);
    first.persistent.begin([partition]);
    first.set("a", "1");
    first.set("ü\0", "2");
    first.set("a", "3");
    first.remove("ü\0");
    // Not closed: as after a SIGKILL.
    const second = await openDisk(folder);
    expect([second.values(), second.seq()]).toEqual([{ a: "3" }, 4]);
    second.set("b", "4");
    const third = await openDisk(folder);
    expect([third.values(), third.seq()]).toEqual([{ a: "3", b: "4" }, 5]);
  });

  test("includes an empty partition that was begun", async () => {
    const folder = await temporaryFolder();
    const first = await openDisk(folder);
    expect(first.seq()).toBeUndefined();
    first.persistent.begin([partition]);
    expect((await openDisk(folder)).seq()).toBe(0);
  });

  test("is replaced by a copy from another node, and deleted by a drop", async () => {
    const folder = await temporaryFolder();
    const first = await openDisk(folder);
    first.set("old", "1");
    await first.restore({ new: "2" }, 40);
    first.set("later", "3");
    const second = await openDisk(folder);
    expect([second.values(), second.seq()]).toEqual([{ new: "2", later: "3" }, 41]);
    second.persistent.state.drop(partition);
    const third = await openDisk(folder);
    expect([third.values(), third.seq()]).toEqual([{}, undefined]);
    expect(await readdir(folder)).toEqual([]);
  });

  test("includes writes to a partition that was dropped before a sync", async () => {
    const folder = await temporaryFolder();
    const first = await openDisk(folder);
    first.set("old", "1");
    first.persistent.state.drop(partition);
    await first.persistent.tick();
    first.set("new", "2");
    expect((await openDisk(folder)).values()).toEqual({ new: "2" });
  });

  test("does not include an incomplete copy", async () => {
    const folder = await temporaryFolder();
    const first = await openDisk(folder);
    first.set("old", "1");
    const chunks = (async function* () {
      yield Uint8Array.of(1, 2, 3);
    })();
    const position = { epoch: 2, seq: 9 };
    await expect(first.persistent.state.restore(chunks, { partition, position })).rejects.toThrow();
    expect((await openDisk(folder)).seq()).toBeUndefined();
  });

  test("with sync always, a write is acknowledged when it is on the disk", async () => {
    const folder = await temporaryFolder();
    const first = await openDisk(folder, { sync: "always" });
    const answer = first.set("a", "1");
    expect(answer).toBeInstanceOf(Promise);
    await answer;
    expect((await openDisk(folder)).values()).toEqual({ a: "1" });
  });
});

type Step =
  | { readonly do: "set"; readonly key: string; readonly size: number }
  | { readonly do: "remove"; readonly key: string }
  | { readonly do: "restore" | "drop" | "reopen" | "rewrite" | "settle" };

const key = fc.constantFrom("a", "b", "c");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("set" as const), key, size: fc.nat(300) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("remove" as const), key }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(...(["restore", "drop", "reopen", "rewrite", "settle"] as const)),
    }),
  },
);

test("is complete after any operations and a kill at any point", async () => {
  const root = await temporaryFolder();
  let run = 0;
  const steps = fc.array(step, { maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(steps, fc.integer({ min: 0, max: 12 }), async (all, turns) => {
      const folder = join(root, String(++run));
      await mkdir(folder);
      // So that every log is too long at a tick.
      let disk = await openDisk(folder, { minLogBytes: 50 });
      let model: Record<string, string> = {};
      for (const [index, each] of all.entries()) {
        if (each.do === "set") {
          const value = String(index).padEnd(each.size, "x");
          disk.set(each.key, value);
          model[each.key] = value;
        } else if (each.do === "remove") {
          disk.remove(each.key);
          delete model[each.key];
        } else if (each.do === "restore") {
          model = { restored: String(index) };
          await disk.restore(model, index + 100);
        } else if (each.do === "drop") {
          disk.persistent.state.drop(partition);
          model = {};
        } else if (each.do === "rewrite") void disk.persistent.tick();
        else if (each.do === "settle") await disk.persistent.tick();
        else {
          await disk.persistent.close();
          disk = await openDisk(folder, { minLogBytes: 50 });
        }
      }
      void disk.persistent.tick();
      for (let turn = 0; turn < turns; turn++)
        await new Promise((resolve) => setImmediate(resolve));
      // The files that a process leaves when it is killed now.
      const copy = join(root, `${run}-copy`);
      cpSync(folder, copy, { recursive: true });
      const seq = disk.seq();
      await disk.persistent.close();
      const recovered = await openDisk(copy);
      expect([recovered.values(), recovered.seq()]).toEqual([model, seq]);
      const closed = await openDisk(folder);
      expect([closed.values(), closed.seq()]).toEqual([model, seq]);
    }),
    { numRuns: 120 },
  );
});

test("an incomplete record at the end of a log is cut off, and the log continues there", async () => {
  const folder = await temporaryFolder();
  const first = await openDisk(folder);
  const ends: number[] = [];
  const file = join(folder, String(partition), "1.log");
  for (let at = 0; at < 5; at++) {
    first.set(`key ${at}`, "v".repeat(at));
    ends.push((await stat(file)).size);
  }
  const whole = readFileSync(file);
  const headEnd = (ends[0] as number) - ((ends[1] as number) - (ends[0] as number) - 1);
  await first.persistent.close();
  for (let length = whole.length; length >= headEnd; length--) {
    // Without the mark of the end: as within the second before it is written.
    await rm(join(folder, String(partition)), { recursive: true });
    await mkdir(join(folder, String(partition)));
    writeFileSync(file, whole.subarray(0, length));
    const count = ends.filter((end) => end <= length).length;
    const cut = await openDisk(folder);
    expect([cut.seq(), Object.keys(cut.values()).length]).toEqual([count, count]);
    cut.set("after", "cut");
    await cut.persistent.close();
    const again = await openDisk(folder);
    expect([again.values().after, again.seq()]).toEqual(["cut", count + 1]);
    await again.persistent.close();
  }
});

test("zeros at the end of a log are cut off", async () => {
  const folder = await temporaryFolder();
  const first = await openDisk(folder);
  first.set("a", "1");
  const file = join(folder, String(partition), "1.log");
  const { size } = await stat(file);
  appendFileSync(file, Buffer.alloc(5000));
  expect((await openDisk(folder)).values()).toEqual({ a: "1" });
  expect((await stat(file)).size).toBe(size);
});

test("a log that is too long is replaced by a snapshot", async () => {
  const folder = await temporaryFolder();
  const disk = await openDisk(folder, { minLogBytes: 10_000 });
  for (let at = 0; at < 500; at++) disk.set(`key ${at % 10}`, "x".repeat(100));
  const before = disk.persistent.counts().logBytes;
  expect(before).toBeGreaterThan(50_000);
  await disk.persistent.tick();
  expect(disk.persistent.counts().rewrites).toBe(1);
  expect(disk.persistent.counts().logBytes).toBeLessThan(100);
  expect(await filesOf(folder)).toEqual(["2.log", "2.snapshot", "end"]);
  disk.set("last", "one");
  const again = await openDisk(folder);
  expect(again.seq()).toBe(501);
  expect(again.values()).toEqual(disk.values());
});

test("a failing disk rejects writes, and is repaired when it works again", async () => {
  const folder = await temporaryFolder();
  const disk = await openDisk(folder);
  await mkdir(join(folder, String(partition)));
  for (const name of ["1.log.tmp", "2.log.tmp", "2.snapshot.tmp", "3.log.tmp", "3.snapshot.tmp"]) {
    await symlink("/dev/full", join(folder, String(partition), name));
  }
  disk.persistent.begin([partition]);
  expect(() => disk.set("a", "1")).toThrow(expect.objectContaining({ code: "PEER_UNREACHABLE" }));
  expect(disk.values()).toEqual({ a: "1" });
  await disk.persistent.tick();
  expect(disk.persistent.counts().failures).toBeGreaterThan(1);
  expect(() => disk.set("b", "2")).toThrow(/could not write to its disk/);
  await rm(join(folder, String(partition)), { recursive: true });
  await mkdir(join(folder, String(partition)));
  await disk.persistent.tick();
  expect(disk.persistent.counts().rewrites).toBe(1);
  disk.set("c", "3");
  const again = await openDisk(folder);
  expect([again.values(), again.seq()]).toEqual([{ a: "1", b: "2", c: "3" }, 3]);
});
