import type { PartitionState, Position } from "../src/index.ts";

/** A map of strings in each partition. Operations are `key=value`; the answer is the number of the write. */
export interface MapState extends PartitionState {
  readonly partitions: Map<number, Map<string, string>>;
  readonly positions: Map<number, Position>;
}

const encode = (text: string): Uint8Array => Buffer.from(text);
const decode = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

export function createMapState(): MapState {
  const partitions = new Map<number, Map<string, string>>();
  const positions = new Map<number, Position>();
  const dataOf = (partition: number): Map<string, string> => {
    let data = partitions.get(partition);
    if (data === undefined) {
      data = new Map();
      partitions.set(partition, data);
    }
    return data;
  };
  return {
    partitions,
    positions,
    apply(op, { partition, position }) {
      const [key = "", value = ""] = decode(op).split("=");
      if (value === "refused") throw new Error("the application does not want it");
      dataOf(partition).set(key, value);
      positions.set(partition, position);
      return encode(String(position.seq));
    },
    read: (query, partition) => encode(partitions.get(partition)?.get(decode(query)) ?? ""),
    *snapshot(partition) {
      const entries = [...dataOf(partition)];
      for (const entry of entries) yield encode(`${JSON.stringify(entry)}\n`);
    },
    async restore(chunks, { partition }) {
      let text = "";
      for await (const chunk of chunks) text += decode(chunk);
      const lines = text.split("\n").filter((line) => line !== "");
      partitions.set(partition, new Map(lines.map((line) => JSON.parse(line) as [string, string])));
    },
    drop(partition) {
      partitions.delete(partition);
    },
  };
}
