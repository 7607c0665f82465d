import { createSeededRandom } from "../../seeded-random.ts";

/**
 * Independent random generators by name, all from one seed. What one of them is asked does not
 * change what another says, so that a shortened run stays similar to the long one.
 */
export function createRandomStreams(seed: number): (name: string) => () => number {
  const streams = new Map<string, () => number>();
  return (name) => {
    let stream = streams.get(name);
    if (stream === undefined) {
      let mixed = seed | 0;
      for (let index = 0; index < name.length; index++) {
        mixed = Math.imul(mixed ^ name.charCodeAt(index), 0x01000193);
      }
      stream = createSeededRandom(mixed);
      streams.set(name, stream);
    }
    return stream;
  };
}
