import type { PartitionState } from "@parsec/ring";
import type { CacheData } from "./cache-data.ts";
import { type CacheRecord, isExpired } from "./cache-entry.ts";
import { encodeAnswer } from "./cache-messages.ts";
import { decodeOperation } from "./cache-operation.ts";
import { decodeSnapshot, encodeSnapshot } from "./cache-snapshot.ts";

/** The answers of `apply`: whether the key had a value before. */
const existedAnswer = Uint8Array.of(1);
const missingAnswer = Uint8Array.of(0);

/** The state of a cache: a `PartitionState` with `read`. */
export type CacheState = Required<Pick<PartitionState, "read">> & Omit<PartitionState, "read">;

/** Creates the state of a cache for the ring. `node` is the name that answers show. */
export function createCacheState(data: CacheData, node: string): CacheState {
  return {
    apply(bytes, { partition }) {
      const operation = decodeOperation(bytes);
      if (operation.kind === "set") {
        data.set(partition, operation);
        return undefined;
      }
      const removed = data.delete(partition, operation.key);
      const existed = removed !== undefined && !isExpired(removed, operation.nowMs);
      return existed ? existedAnswer : missingAnswer;
    },
    read(query, partition) {
      const key = Buffer.from(query.buffer, query.byteOffset, query.length).toString("utf8");
      const entry = data.get(partition, key);
      return encodeAnswer({ node, existed: entry !== undefined, value: entry?.value ?? "" });
    },
    *snapshot(partition) {
      // Entries are immutable, so that references suffice as a copy.
      yield* encodeSnapshot(data.entriesOf(partition));
    },
    async restore(chunks, { partition }) {
      const records: CacheRecord[] = [];
      try {
        for await (const record of decodeSnapshot(chunks)) records.push(record);
      } catch (error) {
        // The earlier entries are obsolete.
        data.replace(partition, []);
        throw error;
      }
      data.replace(partition, records);
    },
    drop: (partition) => data.drop(partition),
  };
}
