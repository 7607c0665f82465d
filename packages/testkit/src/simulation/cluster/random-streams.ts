import { createSeededRandom } from "../../seeded-random.ts";

/**
 * Creates independent random generators by name from one seed. Numbers drawn from one stream do not
 * affect the others, so that a shortened run stays similar to the original.
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
