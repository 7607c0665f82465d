import { createRing, type RingOptions } from "../../src/index.ts";
import { createMapState } from "../map-state.ts";

/** A request of the test to a node's process. */
export type NodeCommand = "leave" | "state";

/** An answer of a node, with the facts that the checker needs. */
export interface Served {
  readonly value: string;
  readonly node: string;
  readonly partition: number;
  readonly incarnation: string;
  readonly partEpoch: number;
  /** On the clock that all processes of the machine share. */
  readonly atNs: string;
}

const options = JSON.parse(process.env.PARSEC_TEST_NODE ?? "{}") as RingOptions;
const state = createMapState();
const ring = createRing({ ...options, state });
const send = (number: number, result: unknown): void => void process.send?.({ number, result });

ring.handle("put", async ({ key, payload, partition, fence, write }) => {
  await write(Buffer.concat([Buffer.from(`${key}=`), payload]));
  return served("", partition, fence);
});
ring.handle("get", ({ key, partition, fence }) => {
  return served(state.partitions.get(partition)?.get(key) ?? "", partition, fence);
});
ring.subscribe((event) => {
  if (event.type !== "table") process.send?.({ event: { ...event, node: options.node } });
});

function served(
  value: string,
  partition: number,
  fence: { readonly incarnation: string; readonly partEpoch: number },
): Uint8Array {
  const atNs = process.hrtime.bigint().toString();
  const answer: Served = { value, node: options.node, partition, ...fence, atNs };
  return Buffer.from(JSON.stringify(answer));
}

process.on("message", ({ number, call }: { number: number; call: NodeCommand }) => {
  if (call === "state") send(number, ring.state());
  else {
    void ring.leave().then(() => {
      send(number, "left");
      process.disconnect();
    });
  }
});
process.on("disconnect", () => process.exit(0));

await ring.start();
send(0, "joined");
