import { describe, expect, it } from "vitest";
import { findFaults, type Operation } from "./history.ts";

let at = 0n;

function operation(kind: "put" | "get", version: number, over: Partial<Operation> = {}): Operation {
  const beganNs = ++at;
  const endedNs = ++at;
  const served = served_(1, "a", endedNs);
  return { kind, key: "k", version, beganNs, endedNs, served, ...over };
}

function served_(partEpoch: number, node: string, atNs: bigint = ++at): Operation["served"] {
  return { value: "", node, partition: 1, incarnation: "i", partEpoch, atNs: String(atNs) };
}

describe("the history checker", () => {
  it("accepts a valid history", () => {
    expect(findFaults([operation("put", 1), operation("get", 1), operation("put", 2)])).toEqual([]);
  });

  it("accepts both outcomes of a write whose outcome is unknown", () => {
    const unknown = (): Operation => operation("put", 2, { served: undefined });
    expect(findFaults([operation("put", 1), unknown(), operation("get", 1)])).toEqual([]);
    expect(findFaults([operation("put", 1), unknown(), operation("get", 2)])).toEqual([]);
  });

  it("finds a lost write", () => {
    const history = [operation("put", 1), operation("put", 2), operation("get", 1)];
    expect(findFaults(history)).toEqual([expect.stringContaining("read 1 after 2")]);
  });

  it("finds a read that is older than an earlier one", () => {
    const unknown = operation("put", 2, { served: undefined });
    const history = [operation("put", 1), unknown, operation("get", 2), operation("get", 1)];
    expect(findFaults(history)).toEqual([expect.stringContaining("read 1 after 2")]);
  });

  it("finds a value that was never written", () => {
    expect(findFaults([operation("put", 1), operation("get", 7)])).toEqual([
      expect.stringContaining("read 7, never written"),
    ]);
  });

  it("finds two owners at once", () => {
    const both = [
      operation("put", 1, { served: served_(1, "a") }),
      operation("put", 2, { served: served_(2, "b") }),
      operation("put", 3, { served: served_(1, "a") }),
    ];
    expect(findFaults(both)).toEqual([expect.stringContaining("a served epoch 1 after b")]);
    const same = [
      operation("put", 4, { served: served_(5, "a") }),
      operation("put", 5, { served: served_(5, "b") }),
    ];
    expect(findFaults(same)).toEqual([expect.stringContaining("served epoch 5")]);
  });
});
