import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arena, blockHeaderBytes, pageBytesFor } from "./arena.ts";

/** A block that is filled, so that any overlap changes its content. */
interface Block {
  reference: number;
  readonly owner: number;
  readonly payload: number;
}

/** An arena with its live blocks by owner. */
class FilledArena {
  readonly blocks: Map<number, Block> = new Map();
  readonly arena: Arena;
  #owners = 0;

  constructor(pageBytes: number) {
    this.arena = new Arena(pageBytes, (owner, from, to) => {
      const block = this.blocks.get(owner) as Block;
      expect(block.reference).toBe(from);
      block.reference = to;
    });
  }

  allocate(payload: number): Block {
    const owner = this.#owners++;
    const block = { reference: this.arena.allocate(payload, owner), owner, payload };
    this.blocks.set(owner, block);
    this.#memoryOf(block).fill(owner % 251);
    return block;
  }

  free(block: Block): void {
    this.check(block);
    this.blocks.delete(block.owner);
    this.arena.free(block.reference);
  }

  check(block: Block): void {
    const memory = this.#memoryOf(block);
    expect(memory.equals(Buffer.alloc(memory.length, block.owner % 251))).toBe(true);
  }

  checkAll(): void {
    for (const block of this.blocks.values()) this.check(block);
    const references = new Set([...this.blocks.values()].map(({ reference }) => reference));
    expect(references.size).toBe(this.blocks.size);
  }

  #memoryOf({ reference, payload }: Block): Buffer {
    const start = this.arena.offset(reference);
    const end = start + this.arena.blockBytes(payload) - blockHeaderBytes;
    const buffer = this.arena.buffer(reference);
    expect(end).toBeLessThanOrEqual(buffer.length);
    return buffer.subarray(start, end);
  }
}

describe("an arena's blocks", () => {
  it.each([4096, 16_384, 65_536])(
    "in pages of %d bytes round up by at most an eighth",
    (pageBytes) => {
      const { arena } = new FilledArena(pageBytes);
      expect(arena.largestPayload).toBe(pageBytes / 8 - blockHeaderBytes);
      let before = 0;
      for (let payload = 0; payload <= arena.largestPayload; payload++) {
        const bytes = arena.blockBytes(payload);
        expect(bytes).toBeGreaterThanOrEqual(payload + blockHeaderBytes);
        expect(bytes - payload - blockHeaderBytes).toBeLessThan(Math.max(16, payload / 6 + 16));
        expect(bytes).toBeGreaterThanOrEqual(before);
        before = bytes;
      }
    },
  );

  it.each([4096, 65_536])("leave at most a fiftieth of a page of %d bytes unused", (pageBytes) => {
    const { arena } = new FilledArena(pageBytes);
    for (let payload = 0; payload <= arena.largestPayload; payload++) {
      const bytes = arena.blockBytes(payload);
      if (bytes <= 256) continue;
      expect(pageBytes % bytes).toBeLessThanOrEqual(pageBytes / 16);
    }
  });

  it("lie in small pages when the budget is small", () => {
    expect([0, 4096, 2 ** 20, 2 ** 24, 2 ** 26, 2 ** 34].map(pageBytesFor)).toEqual([
      4096, 4096, 4096, 16_384, 65_536, 65_536,
    ]);
  });

  it("never share a byte, whatever is allocated, freed, moved and cleared in between", () => {
    const anySize = fc.oneof(fc.nat(60), fc.nat(508), fc.constantFrom(0, 12, 13, 252, 253, 508));
    const step = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ kind: fc.constant("allocate" as const), size: anySize }),
      },
      { weight: 5, arbitrary: fc.record({ kind: fc.constant("free" as const), at: fc.nat() }) },
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constantFrom("compact" as const, "release" as const) }),
      },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600, size: "max" }), (steps) => {
        const filled = new FilledArena(4096);
        for (const next of steps) {
          if (next.kind === "allocate") filled.allocate(next.size);
          else if (next.kind === "compact") filled.arena.compact();
          else if (next.kind === "release") filled.arena.releasePages();
          else if (next.kind === "free") {
            const blocks = [...filled.blocks.values()];
            const block = blocks[next.at % blocks.length];
            if (block !== undefined) filled.free(block);
          }
        }
        filled.checkAll();
      }),
      { numRuns: 100 },
    );
  });
});

describe("Arena", () => {
  it("reuses a freed block before it uses new memory", () => {
    const filled = new FilledArena(65_536);
    const [, second] = Array.from({ length: 3 }, () => filled.allocate(100));
    const { reference } = second as Block;
    filled.free(second as Block);
    expect(filled.allocate(108).reference).toBe(reference);
  });

  it("reuses a page without live blocks for another size class", () => {
    const filled = new FilledArena(4096);
    for (let count = 0; count < 256; count++) filled.allocate(12);
    for (const block of [...filled.blocks.values()]) filled.free(block);
    for (let count = 0; count < 8; count++) filled.allocate(508);
    expect(filled.arena.bytes).toBe(filled.arena.growthBytes);
    filled.checkAll();
  });

  it("I3 needs no more memory than live blocks take when every page keeps a few of them", () => {
    const filled = new FilledArena(4096);
    const { arena } = filled;
    const limit = 64 * arena.growthBytes;
    for (let round = 0; round < 30; round++) {
      const payload = 40 + round * 15;
      const made: Block[] = [];
      for (let count = 0; count < 200; count++) {
        while (!arena.hasRoom(payload) && arena.bytes + arena.growthBytes > limit) {
          if (!arena.compact()) throw new Error("nothing to compact");
        }
        made.push(filled.allocate(payload));
      }
      // One of forty stays.
      for (const [index, block] of made.entries()) if (index % 40 !== 0) filled.free(block);
      expect(arena.bytes).toBeLessThanOrEqual(limit);
    }
    filled.checkAll();
  });

  it("does not compact pages that are almost full", () => {
    const filled = new FilledArena(4096);
    const blocks = Array.from({ length: 64 }, () => filled.allocate(60));
    expect(filled.arena.compact()).toBe(false);
    filled.free(blocks[0] as Block);
    expect(filled.arena.compact()).toBe(false);
    filled.checkAll();
  });

  it("keeps its pages when it is cleared, and gives them back when it is released", () => {
    const filled = new FilledArena(4096);
    for (let count = 0; count < 200; count++) filled.allocate(100);
    const { bytes } = filled.arena;
    filled.arena.clear();
    filled.blocks.clear();
    for (let count = 0; count < 200; count++) filled.allocate(100);
    expect(filled.arena.bytes).toBe(bytes);
    filled.checkAll();
    filled.arena.release();
    expect(filled.arena.bytes).toBe(0);
  });

  it("gives memory back once all pages that were allocated together are empty", () => {
    const filled = new FilledArena(65_536);
    const blocks = Array.from({ length: 32 }, () => filled.allocate(8188));
    const { bytes } = filled.arena;
    for (const block of blocks.slice(0, 31)) filled.free(block);
    expect(filled.arena.releasePages()).toBe(false);
    filled.free(blocks[31] as Block);
    expect(filled.arena.releasePages()).toBe(true);
    expect(filled.arena.bytes).toBe(bytes - filled.arena.growthBytes);
    filled.allocate(100);
    filled.checkAll();
  });
});
