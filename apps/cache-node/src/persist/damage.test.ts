import { createHash } from "node:crypto";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createSeededRandom } from "@parsec/testkit";
import { pino } from "pino";
import { describe, expect, test } from "vitest";
import { damageFolder, damageKinds } from "../../test/damage-folder.ts";
import { temporaryFolder } from "../../test/temporary-folder.ts";
import { CacheData } from "../cache/cache-data.ts";
import { encodeOperation } from "../cache/cache-operation.ts";
import { createCacheState } from "../cache/cache-state.ts";
import { checkFolder } from "./check-folder.ts";
import { openPersistentState, type PersistentState } from "./persistent-state.ts";

const partitions = 4;

interface OpenedFolder {
  readonly persistent: PersistentState;
  readonly logged: Record<string, unknown>[];
  valuesOf(partition: number): Record<string, string>;
  /** Sets a key of the partition to its next value. */
  write(partition: number, key: string): void;
}

async function open(root: string): Promise<OpenedFolder> {
  const data = new CacheData(() => 0);
  const logged: Record<string, unknown>[] = [];
  const log = pino({}, { write: (line: string) => logged.push(JSON.parse(line)) });
  const persistent = await openPersistentState(createCacheState(data, "node"), {
    folder: join(root, "partitions"),
    partitions,
    sync: "second",
    log,
    minLogBytes: 200,
  });
  const { state } = persistent;
  return {
    persistent,
    logged,
    valuesOf: (partition) =>
      Object.fromEntries(data.entriesOf(partition).map(({ key, value }) => [key, value])),
    write(partition, key) {
      const { seq = 0 } = state.position?.(partition) ?? {};
      const operation = encodeOperation({
        kind: "set",
        key,
        value: `value ${seq}`,
        expiresAtMs: 0,
      });
      const position = { epoch: 1, seq: seq + 1 };
      void state.apply(operation, { partition, position, isOwner: true });
    },
  };
}

/** Writes a folder with data in all partitions: some with a snapshot, some with logs alone. */
async function fill(root: string, random: () => number): Promise<Record<string, string>[]> {
  await mkdir(join(root, "partitions"));
  const opened = await open(root);
  for (let round = 0; round < 3; round++) {
    for (let partition = 0; partition < partitions; partition++) {
      const count = Math.floor(random() * 8) + (round === 0 ? 1 : 0);
      for (let at = 0; at < count; at++) {
        opened.write(partition, `key ${Math.floor(random() * 5)}`);
      }
    }
    await opened.persistent.tick();
  }
  await opened.persistent.close();
  return Array.from({ length: partitions }, (_, partition) => opened.valuesOf(partition));
}

/** The content of all files below a folder, whatever their names. */
function contents(folder: string): Set<string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  const bytes = files
    .filter((file) => file.isFile())
    .map((file) => readFileSync(join(file.parentPath, file.name)));
  return new Set(bytes.map((each) => createHash("sha256").update(each).digest("hex")));
}

const isCampaign = process.env.PARSEC_CAMPAIGN === "1";
/** 200 folders in the campaign. */
const runsOfKind = isCampaign ? 20 : 1;
const timeoutMs = 120_000;

describe("a damaged folder", () => {
  test.each(damageKinds)(
    "is never taken for a sound one: %s",
    async (kind) => {
      for (let run = 0; run < runsOfKind; run++) {
        const random = createSeededRandom(run);
        const root = await temporaryFolder();
        const expected = await fill(root, random);
        const { partition, file } = damageFolder(join(root, "partitions"), { kind, random });
        const where = `seed ${run}: ${kind}, partition ${partition}, ${file}`;
        const before = contents(join(root, "partitions"));
        const copy = await temporaryFolder();
        cpSync(root, copy, { recursive: true });
        const report = await checkFolder(copy);

        const opened = await open(root);
        for (const [each, values] of expected.entries()) {
          const found = opened.valuesOf(each);
          if (opened.persistent.damaged.includes(each)) {
            // It has no data of its own: only that of another node can be served.
            expect(found, where).toEqual({});
            expect(opened.persistent.state.position?.(each), where).toBeUndefined();
            expect(opened.logged, where).toContainEqual(
              expect.objectContaining({ partition: each, level: 50, path: expect.any(String) }),
            );
            expect(report.isSound, where).toBe(false);
          } else {
            expect(found, where).toEqual(values);
          }
        }
        if (opened.persistent.damaged.length === 0) expect(report.isSound, where).toBe(true);
        // Nothing was deleted.
        const isCut = opened.logged.some(({ msg }) => String(msg).includes("was cut off"));
        if (!isCut)
          expect([...contents(join(root, "partitions"))], where).toEqual(
            expect.arrayContaining([...before]),
          );
        await opened.persistent.close();

        // The next start does not take it for empty.
        const again = await open(root);
        expect(again.persistent.damaged, where).toEqual(opened.persistent.damaged);
        await again.persistent.close();
      }
    },
    timeoutMs,
  );

  test("is replaced by a sound copy, and kept", async () => {
    const random = createSeededRandom(1);
    const root = await temporaryFolder();
    const expected = await fill(root, random);
    const { partition } = damageFolder(join(root, "partitions"), {
      kind: "replace by rubbish",
      random,
    });
    const opened = await open(root);
    expect(opened.persistent.damaged).toEqual([partition]);
    const other = new CacheData(() => 0);
    for (const [key, value] of Object.entries(expected[partition] ?? {})) {
      other.set(partition, { key, value, expiresAtMs: 0 });
    }
    const pieces = createCacheState(other, "other").snapshot(partition);
    const chunks = (async function* () {
      yield* pieces;
    })();
    await opened.persistent.state.restore(chunks, { partition, position: { epoch: 2, seq: 99 } });
    expect(opened.persistent.damaged).toEqual([]);
    await opened.persistent.close();
    const again = await open(root);
    expect(again.persistent.damaged).toEqual([]);
    expect(again.valuesOf(partition)).toEqual(expected[partition]);
    const kept = readdirSync(join(root, "partitions")).filter((name) =>
      name.includes("superseded"),
    );
    expect(kept).toEqual([expect.stringMatching(`^${partition}\\.superseded-\\d+$`)]);
    await again.persistent.close();
  });
});
