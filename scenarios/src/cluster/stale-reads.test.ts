import { expect, it } from "vitest";
import type { Change } from "../node/node-control.ts";
import { findStaleReads } from "./stale-reads.ts";

const change = (version: number, resolvedAt: number, acknowledged = ["a", "b"]): Change => ({
  key: "k",
  version,
  resolvedAt,
  tookMs: 1,
  acknowledged,
  failed: [],
});
const readsOf = (nodeId: string, ...reads: readonly (readonly [number, number])[]) =>
  new Map([[nodeId, reads.map(([version, lastBeganAt]) => ({ key: "k", version, lastBeganAt }))]]);

it("finds nothing when every version was asked for before the next was acknowledged", () => {
  const changes = [change(2, 10), change(3, 20)];
  expect(findStaleReads(readsOf("a", [1, 10], [2, 20], [3, 99]), changes)).toEqual([]);
});

it("finds a version that was served to a question that began after a newer one was acknowledged", () => {
  const changes = [change(3, 20), change(2, 10)];
  expect(findStaleReads(readsOf("b", [1, 10.1], [2, 19]), changes)).toEqual([
    { nodeId: "b", key: "k", version: 1, lastBeganAt: 10.1, acknowledged: 2 },
  ]);
});

it("is not deceived by an older change that resolved after a newer one", () => {
  const changes = [change(3, 10), change(2, 20)];
  expect(findStaleReads(readsOf("a", [2, 30]), changes)).toMatchObject([{ acknowledged: 3 }]);
  expect(findStaleReads(readsOf("a", [3, 30]), changes)).toEqual([]);
});

it("demands nothing of a node that has not acknowledged, nor of other keys", () => {
  const changes = [change(2, 10, ["a"])];
  expect(findStaleReads(readsOf("b", [1, 30]), changes)).toEqual([]);
  expect(findStaleReads(readsOf("a", [1, 30]), [{ ...change(2, 10), key: "other" }])).toEqual([]);
});
