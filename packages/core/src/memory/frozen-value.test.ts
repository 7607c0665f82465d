import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freezeDeep } from "./frozen-value.ts";

function isDeepFrozen(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isDeepFrozen);
}

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let level = 1; level < depth; level++) value = level % 2 ? { value } : [value];
  return value;
}

describe("freezeDeep", () => {
  it("deeply freezes any JSON data without changing them", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        const value: unknown = JSON.parse(text);
        expect(freezeDeep(value)).toBeGreaterThanOrEqual(0);
        expect(isDeepFrozen(value)).toBe(true);
        expect(value).toEqual(JSON.parse(text));
      }),
    );
  });

  it("makes assignment throw at every level", () => {
    const value = { name: "alice", roles: ["admin"], address: { city: "Bern" } };
    freezeDeep(value);
    expect(() => {
      value.name = "eve";
    }).toThrow(TypeError);
    expect(() => value.roles.push("root")).toThrow(TypeError);
    expect(() => {
      value.address.city = "Rom";
    }).toThrow(TypeError);
  });

  it("treats objects without a prototype and a field named __proto__ as plain data", () => {
    const bare: Record<string, unknown> = Object.assign(Object.create(null), { inner: { a: 1 } });
    expect(freezeDeep(bare)).toBeGreaterThan(0);
    expect(isDeepFrozen(bare)).toBe(true);
    const tricky: unknown = JSON.parse('{"__proto__":{"a":[1]}}');
    expect(freezeDeep(tricky)).toBeGreaterThan(0);
    expect(isDeepFrozen(tricky)).toBe(true);
  });

  it.each([
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["bytes", Buffer.from("b")],
    ["a typed array", new Uint8Array(2)],
    ["a date", new Date(0)],
    ["a map", new Map()],
    ["a set", new Set()],
    ["a regular expression", /x/g],
    ["an error", new Error("e")],
    ["an instance of a class", new (class Point {})()],
    ["an array of a class of its own", new (class List extends Array {})()],
  ])(
    "returns -1 for %s, alone or inside plain data, because freezing does not protect it",
    (_, value) => {
      expect(freezeDeep(value)).toBe(-1);
      expect(freezeDeep({ fine: [1, { value }] })).toBe(-1);
    },
  );

  it("does not freeze data that it cannot protect", () => {
    const value = { fine: { a: 1 }, when: new Date(0) };
    expect(freezeDeep(value)).toBe(-1);
    value.fine.a = 2;
    expect(value.fine.a).toBe(2);
  });

  it("estimates the size of primitives, strings and objects with their contents", () => {
    expect(freezeDeep(null)).toBe(0);
    expect(freezeDeep(1)).toBe(0);
    expect(freezeDeep(1.5)).toBe(16);
    expect(freezeDeep(2 ** 40)).toBe(16);
    expect(freezeDeep(true)).toBe(0);
    expect(freezeDeep(undefined)).toBe(0);
    expect(freezeDeep(1n)).toBe(16 + 8);
    expect(freezeDeep("abcd")).toBe(16 + 8);
    expect(freezeDeep("日本日本日")).toBe(16 + 16);
    expect(freezeDeep({})).toBe(56);
    expect(freezeDeep([1, "abcd"])).toBe(56 + 8 + (8 + 24));
    expect(freezeDeep({ a: { b: 1 } })).toBe(56 + 8 + 56 + 8);
  });

  it("I8 freezes data nested deeper than any stack", () => {
    const value = nested(200_000);
    expect(freezeDeep(value)).toBeGreaterThan(200_000 * 56);
    let frozen = 0;
    for (let at = value; typeof at === "object" && at !== null; at = Object.values(at)[0]) {
      if (Object.isFrozen(at)) frozen++;
    }
    expect(frozen).toBe(200_000);
  });

  it("I8 terminates for cyclic data", () => {
    const value: { self?: unknown; list: unknown[] } = { list: [] };
    value.self = value;
    value.list.push(value, value.list);
    expect(freezeDeep(value)).toBe(56 + 8 + 8 + 56 + 8 + 8);
    expect(Object.isFrozen(value)).toBe(true);
    expect(Object.isFrozen(value.list)).toBe(true);
  });

  it("I8 visits an object that is referenced many times once", () => {
    let value: unknown = {};
    for (let level = 0; level < 64; level++) value = [value, value];
    expect(freezeDeep(value)).toBe(64 * (56 + 16) + 56);
  });
});
