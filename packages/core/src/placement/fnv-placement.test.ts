import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { keyFromBytes, keyToBytes } from "../key-bytes.ts";
import { createPlacement, createPlacements } from "./create-placement.ts";
import { createFnvPlacement, FnvPoints } from "./fnv-placement.ts";
import type { Placement } from "./placement.ts";

function fnvPlacement(ids: readonly string[], pointsPerNode?: number): Placement {
  return createFnvPlacement(ids, new FnvPoints((id) => id, pointsPerNode));
}

describe("createFnvPlacement", () => {
  // The owners that the tests of mailgun/groupcache expect, with 512 points per node.
  it.each([
    ["12,000", "4", "4"],
    ["11", "6", "8"],
    ["500,000", "4", "4"],
    ["1,000,000", "2", "8"],
  ])("gives %j to the node that Go gives it to", (key, ofThree, ofFour) => {
    expect(fnvPlacement(["6", "4", "2"], 512).ownerOf(key)).toBe(ofThree);
    expect(fnvPlacement(["6", "4", "2", "8"], 512).ownerOf(key)).toBe(ofFour);
  });

  it("has the points and the order of Go, computed with 64-bit integers", () => {
    const fnv1 = (bytes: Uint8Array): bigint => {
      let hash = 0xcbf29ce484222325n;
      for (const byte of bytes) {
        hash = BigInt.asUintN(64, hash * 0x100000001b3n) ^ BigInt(byte);
      }
      return BigInt.asIntN(64, hash);
    };
    // Known answers of the FNV specification.
    expect(BigInt.asUintN(64, fnv1(Buffer.from("")))).toBe(0xcbf29ce484222325n);
    expect(BigInt.asUintN(64, fnv1(Buffer.from("a")))).toBe(0xaf63bd4c8601b7ben);
    expect(BigInt.asUintN(64, fnv1(Buffer.from("foobar")))).toBe(0x340d8765a4dda9c2n);
    const ids = [1, 2, 3].map((host) => `10.0.0.${host}:8080`);
    const ring = ids
      .flatMap((id) =>
        Array.from({ length: 50 }, (_, index) => {
          const digest = createHash("md5").update(`${index}${id}`).digest("hex");
          return { id, point: fnv1(Buffer.from(digest)) };
        }),
      )
      .sort((a, b) => (a.point < b.point ? -1 : 1));
    const placement = fnvPlacement(ids);
    const odd = [Uint8Array.of(0xff, 0xfe), Uint8Array.of(), Buffer.from("日本")].map(keyFromBytes);
    for (const key of [...odd, ...Array.from({ length: 3_000 }, (_, index) => `key ${index}`)]) {
      const hash = fnv1(keyToBytes(key));
      const expected = ring.find(({ point }) => point >= hash) ?? ring[0];
      expect(placement.ownerOf(key)).toBe(expected?.id);
    }
  });

  it("hashes new nodes in portions, and forgets those that left", () => {
    const ids = Array.from({ length: 10 }, (_, index) => `node-${index}`);
    const placements = createPlacements("mailgun");
    expect([4, 4, 4].map((limit) => placements.prepare(ids, limit))).toEqual([false, false, true]);
    const some = ids.slice(5);
    for (const members of [ids, some]) {
      const owner = placements.of(members).ownerOf("key");
      expect(owner).toBe(fnvPlacement(members).ownerOf("key"));
    }
    expect(placements.prepare(ids, 4)).toBe(false);
  });

  it("is created by createPlacement, for mailgun by URL, for groupcache-go by address", () => {
    const urls = [1, 2, 3].map((host) => `http://10.0.0.${host}:8080`);
    const byUrl = fnvPlacement(urls);
    const addresses = fnvPlacement(urls.map((url) => url.slice("http://".length)));
    for (let index = 0; index < 200; index++) {
      const key = `key ${index}`;
      expect(createPlacement("mailgun", urls).ownerOf(key)).toBe(byUrl.ownerOf(key));
      const owner = createPlacement("groupcache-go", urls).ownerOf(key);
      expect(owner).toBe(`http://${addresses.ownerOf(key)}`);
    }
  });
});
