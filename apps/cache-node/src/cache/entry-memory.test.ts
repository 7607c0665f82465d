import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { CacheData } from "./cache-data.ts";
import { encodeOperation } from "./cache-operation.ts";
import { createCacheState } from "./cache-state.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

async function liveBytes(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    // What the last turn of the event loop used is free only then.
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

const count = 20_000;

test.each([
  ["short values", "v", 0],
  ["values of 100 bytes", "v".repeat(100), 0],
  ["with a lifetime", "v".repeat(100), 1_000_000],
  ["accented letters", "é".repeat(100), 0],
  ["Cyrillic letters", "ж".repeat(100), 0],
  ["one emoji in a text", `${"v".repeat(100)}\u{1f600}`, 0],
  ["values of 2,000 bytes", "v".repeat(2000), 0],
])("what an entry is charged covers its memory: %s", async (_name, value, expiresAtMs) => {
  const data = new CacheData(() => 0);
  const { apply } = createCacheState(data, "node");
  const before = await liveBytes();
  for (let seq = 1; seq <= count; seq++) {
    const key = `key ${String(seq).padStart(8, "0")}`;
    const operation = encodeOperation({ kind: "set", key, value: `${value}${seq}`, expiresAtMs });
    const partition = seq % 64;
    void apply(operation, { partition, position: { epoch: 1, seq }, isOwner: true });
  }
  const live = (await liveBytes()) - before;
  expect(data.counts().backupEntries).toBe(count);
  expect(live).toBeLessThan(data.heldBytes * 1.05);
  expect(live).toBeGreaterThan(data.heldBytes * 0.6);
});
