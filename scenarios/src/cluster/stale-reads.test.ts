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
  new Map([
    [nodeId, reads.map(([version, lastStartedAt]) => ({ key: "k", version, lastStartedAt }))],
  ]);

it("finds nothing when every read started before the next version was acknowledged", () => {
  const changes = [change(2, 10), change(3, 20)];
  expect(findStaleReads(readsOf("a", [1, 10], [2, 20], [3, 99]), changes)).toEqual([]);
});

it("finds a read that started after a newer version was acknowledged", () => {
  const changes = [change(3, 20), change(2, 10)];
  expect(findStaleReads(readsOf("b", [1, 10.1], [2, 19]), changes)).toEqual([
    { nodeId: "b", key: "k", version: 1, lastStartedAt: 10.1, acknowledged: 2 },
  ]);
});

it("uses the newest version when an older change resolves after a newer one", () => {
  const changes = [change(3, 10), change(2, 20)];
  expect(findStaleReads(readsOf("a", [2, 30]), changes)).toMatchObject([{ acknowledged: 3 }]);
  expect(findStaleReads(readsOf("a", [3, 30]), changes)).toEqual([]);
});

it("ignores nodes that have not acknowledged, and other keys", () => {
  const changes = [change(2, 10, ["a"])];
  expect(findStaleReads(readsOf("b", [1, 30]), changes)).toEqual([]);
  expect(findStaleReads(readsOf("a", [1, 30]), [{ ...change(2, 10), key: "other" }])).toEqual([]);
});
