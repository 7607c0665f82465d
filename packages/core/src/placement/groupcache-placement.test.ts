import { describe, expect, it } from "vitest";
import { keyFromBytes, keyToBytes } from "../key-bytes.ts";
import { crc32 } from "./crc32.ts";
import { createPlacement } from "./create-placement.ts";
import { createGroupcachePlacement } from "./groupcache-placement.ts";

const tens = [1, 2, 3].map((host) => `http://10.0.0.${host}:8080`);
const parsecs = [1, 2, 3].map((host) => `http://parsec-${host}:8080`);

/** The ring point by point, computed independently. */
function ringOf(ids: readonly string[]): { point: number; id: string }[] {
  const ring = ids.flatMap((id) =>
    Array.from({ length: 50 }, (_, index) => ({ point: crc32(Buffer.from(`${index}${id}`)), id })),
  );
  return ring.sort((a, b) => a.point - b.point);
}

function shareOf(id: string, ids: readonly string[]): number {
  const ring = ringOf(ids);
  let arcs = 0;
  ring.forEach((entry, index) => {
    // A point owns the arc that ends at it.
    const before = ring[(index + ring.length - 1) % ring.length]?.point as number;
    if (entry.id === id) arcs += (entry.point - before + 2 ** 32) % 2 ** 32;
  });
  return arcs / 2 ** 32;
}

describe("createGroupcachePlacement", () => {
  it.each([
    ["user:12345", 0x710e5fad, 3],
    ["user:67890", 0x3d6116ac, 2],
    ["user:11111", 0x1a251471, 2],
    ["alice", 0x278ebc47, 3],
    ["a b", 0x806c5cd3, 2],
    ["a+b", 0x63988518, 1],
    ["", 0x00000000, 1],
    ["日本", 0xc7b7cdcc, 1],
    [keyFromBytes(Uint8Array.of(0xff, 0xfe)), 0x88f83096, 2],
  ])("gives %j to the node that Go gives it to", (key, hash, host) => {
    expect(crc32(keyToBytes(key))).toBe(hash);
    expect(createGroupcachePlacement(tens).ownerOf(key)).toBe(`http://10.0.0.${host}:8080`);
  });

  it.each([
    ["user:12345", 2],
    ["user:67890", 2],
    ["user:11111", 1],
  ])("gives %j to the named node that Go gives it to", (key, host) => {
    expect(createGroupcachePlacement(parsecs).ownerOf(key)).toBe(`http://parsec-${host}:8080`);
  });

  it("has the same points as Go", () => {
    const pointOf = (index: number): number => crc32(Buffer.from(`${index}http://10.0.0.1:8080`));
    expect([0, 1, 49].map(pointOf)).toEqual([0x7c959a77, 0xe34f19e9, 0x52592f76]);
    expect(new Set(ringOf(tens).map(({ point }) => point)).size).toBe(150);
  });

  it.each([
    ["10.0.0.x", tens, [0.3399, 0.3008, 0.3593]],
    ["parsec-x", parsecs, [0.3266, 0.3119, 0.3616]],
  ])("cuts the ring of %s into the shares that Go cuts it into", (_, ids, shares) => {
    const placement = createGroupcachePlacement(ids);
    const count = 60_000;
    const owned = new Map<string, number>();
    for (let index = 0; index < count; index++) {
      const owner = placement.ownerOf(`key ${index}`);
      owned.set(owner, (owned.get(owner) ?? 0) + 1);
    }
    ids.forEach((id, index) => {
      expect(shareOf(id, ids)).toBeCloseTo(shares[index] as number, 4);
      expect((owned.get(id) ?? 0) / count).toBeCloseTo(shares[index] as number, 1);
    });
  });

  it("assigns a key to the first point at or after its hash, with wrap-around", () => {
    const ids = [...tens, ...parsecs];
    const placement = createGroupcachePlacement(ids);
    const ring = ringOf(ids);
    for (let index = 0; index < 5000; index++) {
      const key = `k${index}`;
      const hash = crc32(Buffer.from(key));
      const expected = ring.find(({ point }) => point >= hash) ?? ring[0];
      expect(placement.ownerOf(key)).toBe(expected?.id);
    }
  });

  it("assigns a point that two nodes share to the node listed last, as Go does", () => {
    // crc32 is affine: two ids of one length that collide at one point collide at all fifty.
    const [one, other] = ["n1klyx37644", "n2hxmx74196"] as const;
    expect(new Set(ringOf([one, other]).map(({ point }) => point)).size).toBe(50);
    for (const key of ["a", "b", "c"]) {
      expect(createGroupcachePlacement([one, other]).ownerOf(key)).toBe(other);
      expect(createGroupcachePlacement([other, one]).ownerOf(key)).toBe(one);
    }
  });

  it("assigns all keys to a single node", () => {
    expect(createGroupcachePlacement(["only"]).ownerOf("any")).toBe("only");
  });

  it("is created by createPlacement for groupcache", () => {
    expect(createPlacement("groupcache", tens).ownerOf("user:12345")).toBe("http://10.0.0.3:8080");
  });
});
