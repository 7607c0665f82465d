import { describe, expect, it } from "vitest";
import { KnownShapes, stringBytes } from "./known-shapes.ts";

function names(count: number, prefix = "name"): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

describe("KnownShapes", () => {
  it("charges a sequence of names once", () => {
    const shapes = new KnownShapes();
    expect(shapes.namesBytes(["id", "name"])).toBe(2 * (160 + 24));
    expect(shapes.namesBytes(["id", "name"])).toBe(0);
    expect(shapes.namesBytes(["id"])).toBe(0);
    expect(shapes.namesBytes(["name", "id"])).toBe(2 * (160 + 24));
  });

  it("charges names beyond those it remembers each time", () => {
    const shapes = new KnownShapes();
    for (let index = 0; index < 300; index++) shapes.namesBytes([`n${index}`]);
    expect(shapes.namesBytes(["n0"])).toBe(0);
    expect(shapes.namesBytes(["n299"])).toBe(160 + stringBytes("n299"));
    expect(shapes.namesBytes(["n299"])).toBe(160 + stringBytes("n299"));
  });

  it("charges an object of many names its hash table each time", () => {
    const shapes = new KnownShapes();
    const bytes = shapes.namesBytes(names(200));
    expect(bytes).toBe(512 * 24 + 200 * (24 + 16));
    expect(shapes.namesBytes(names(200))).toBe(bytes);
  });

  it("charges names that are numbers as an array when they are dense, else as a hash table", () => {
    const shapes = new KnownShapes();
    expect(shapes.namesBytes(["0", "1", "2"])).toBe(4 * 16);
    expect(shapes.namesBytes(["7", "100000"])).toBe(2 * 144);
  });
});
