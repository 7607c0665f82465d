import { createRing, type Ring, type RingOptions } from "@parsec/ring";
import { machineNowMs, type ServiceNote } from "../service-note.ts";

const lengthBytes = 4;

/**
 * Creates a ring whose owners add their ownership and the time to each answer. The calling node removes that again and
 * passes it to `note`, so that it is recorded for accepted answers only.
 */
export function createNotingRing(options: RingOptions, note: (served: ServiceNote) => void): Ring {
  const terms = new Map<number, { readonly incarnation: string; readonly partEpoch: number }>();
  let epoch = 0;
  const stamp = (answer: Uint8Array, partition: number): Uint8Array => {
    const term = terms.get(partition) ?? { incarnation: "none", partEpoch: -1 };
    const served: ServiceNote = {
      node: `${options.node} (${process.pid})`,
      partition,
      epoch,
      ...term,
      atMs: machineNowMs(),
    };
    const text = Buffer.from(JSON.stringify(served));
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32LE(text.length);
    return Buffer.concat([answer, text, length]);
  };
  const accept = (answer: Uint8Array): Uint8Array => {
    const bytes = Buffer.from(answer);
    const textEnd = bytes.length - lengthBytes;
    const textStart = textEnd - bytes.readUInt32LE(textEnd);
    note(JSON.parse(bytes.toString("utf8", textStart, textEnd)) as ServiceNote);
    return bytes.subarray(0, textStart);
  };

  const { state } = options;
  if (state?.read === undefined) throw new Error("the cache keeps a state that can be read");
  const read = state.read.bind(state);
  const ring = createRing({
    ...options,
    state: {
      ...state,
      read: async (query, partition) => stamp(await read(query, partition), partition),
    },
  });
  ring.subscribe((event) => {
    if (event.type === "owned") terms.set(event.partition, event);
    else if (event.type === "table") epoch = event.epoch;
  });
  return new Proxy(ring, {
    get(target, name) {
      switch (name) {
        case "handle":
          return ((method, handler) =>
            target.handle(method, async (request) =>
              stamp(await handler(request), request.partition),
            )) satisfies Ring["handle"];
        case "call":
          return (async (...args) => accept(await target.call(...args))) satisfies Ring["call"];
        case "read":
          return (async (...args) => accept(await target.read(...args))) satisfies Ring["read"];
        default: {
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        }
      }
    },
  });
}
