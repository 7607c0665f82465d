import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena, arenaFootprint } from "./arena.ts";

const kibibyte = 1024;

/** A record that fills its footprint, so that any overlap changes its content. */
interface Record {
  readonly reference: number;
  readonly bytes: number;
  readonly filling: number;
}

function memoryOf(arena: Arena, record: Record): Buffer {
  const start = arena.offset(record.reference);
  // An own buffer is as large as the record; the rest of its footprint is bookkeeping.
  const end = start + (record.bytes > 8 * kibibyte ? record.bytes : arenaFootprint(record.bytes));
  const buffer = arena.buffer(record.reference);
  expect(end).toBeLessThanOrEqual(buffer.length);
  return buffer.subarray(start, end);
}

const anySize = fc.oneof(
  fc.nat(300),
  fc.nat(9 * kibibyte),
  fc.constantFrom(0, 1, 16, 17, 256, 257, 8192, 8193, 70_000),
);

describe("arenaFootprint", () => {
  it("rounds up to 16 bytes as far as 256, and to an eighth of the doubling above", () => {
    const footprints = [0, 1, 16, 17, 256, 257, 288, 289, 513, 4097, 8191, 8192].map(
      arenaFootprint,
    );
    expect(footprints).toEqual([16, 16, 16, 32, 256, 288, 288, 320, 576, 4608, 8192, 8192]);
  });

  it("charges a record above 8 KiB its bytes and the overhead of its own buffer", () => {
    expect(arenaFootprint(8193)).toBe(8193 + 384);
    expect(arenaFootprint(5_000_000)).toBe(5_000_000 + 384);
  });

  it("covers the record, loses at most an eighth beyond 16 bytes, and never shrinks as records grow", () => {
    for (let bytes = 1; bytes <= 8192; bytes++) {
      const footprint = arenaFootprint(bytes);
      expect(footprint).toBeGreaterThanOrEqual(bytes);
      expect(footprint - bytes).toBeLessThan(Math.max(16, bytes / 8 + 16));
      expect(footprint).toBeGreaterThanOrEqual(arenaFootprint(bytes - 1));
    }
  });
});

describe("Arena", () => {
  it("never lets two live records share a byte, whatever is allocated and freed in between", () => {
    const step = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant("allocate" as const), size: anySize }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("free" as const), at: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300, size: "max" }), (steps) => {
        const arena = new Arena();
        const live: Record[] = [];
        let made = 0;
        const check = (record: Record): void => {
          const memory = memoryOf(arena, record);
          expect(memory.equals(Buffer.alloc(memory.length, record.filling))).toBe(true);
        };
        for (const next of steps) {
          if (next.kind === "allocate") {
            const reference = arena.allocate(next.size);
            const record = { reference, bytes: next.size, filling: made++ % 251 };
            memoryOf(arena, record).fill(record.filling);
            live.push(record);
          } else if (live.length > 0) {
            const [record] = live.splice(next.at % live.length, 1) as [Record];
            check(record);
            arena.free(record.reference);
          }
        }
        for (const record of live) check(record);
        expect(new Set(live.map((record) => record.reference)).size).toBe(live.length);
      }),
      { numRuns: 150 },
    );
  });

  it("reuses a freed block before it uses new memory", () => {
    const arena = new Arena();
    const references = Array.from({ length: 3 }, () => arena.allocate(100));
    arena.free(references[1] as number);
    expect(arena.allocate(112)).toBe(references[1]);
  });

  it("reuses a page without live records for another size class", () => {
    const arena = new Arena();
    const small = Array.from({ length: 4096 }, () => arena.allocate(16));
    const pages = new Set(small.map((reference) => arena.buffer(reference)));
    expect(pages.size).toBe(1);
    for (const reference of small) arena.free(reference);
    const large = Array.from({ length: 8 }, () => arena.allocate(8192));
    for (const reference of large) expect(pages.has(arena.buffer(reference))).toBe(true);
  });

  it("does not grow while records of mixed sizes come and go within the same volume", () => {
    const arena = new Arena();
    const pages = new Set<Buffer>();
    const allocate = (size: number): number => {
      const reference = arena.allocate(size);
      pages.add(arena.buffer(reference));
      return reference;
    };
    for (let round = 0; round < 50; round++) {
      // 1 MiB of one size, all freed before the next round takes another size.
      const size = 16 * (1 + ((round * 37) % 500));
      const count = Math.floor(2 ** 20 / arenaFootprint(size));
      const references = Array.from({ length: count }, () => allocate(size));
      for (const reference of references) arena.free(reference);
    }
    // The largest blocks waste up to half a block at the end of each page of 64 KiB.
    expect(pages.size * 64 * kibibyte).toBeLessThan(1.3 * 2 ** 20);
  });

  it("releases the buffer of a large record when it is freed, and reuses the reference", () => {
    const arena = new Arena();
    const reference = arena.allocate(20_000);
    expect(arena.buffer(reference).length).toBe(20_000);
    arena.free(reference);
    expect(arena.buffer(reference)).toBeUndefined();
    expect(arena.allocate(9000)).toBe(reference);
    expect(arena.buffer(reference).length).toBe(9000);
  });
});
