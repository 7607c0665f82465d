import { afterEach, expect, it, vi } from "vitest";
import { createMonotonicClock } from "../lease/monotonic-clock.ts";
import { type RingTable, unownedPart } from "../table/ring-table.ts";
import { encodeAnswer } from "../wire/ring-message.ts";
import { Router } from "./router.ts";

afterEach(() => vi.useRealTimers());

const members = ["a", "b", "c"].map((id) => {
  return { id, session: id, address: id, zone: "", weight: 1, present: true };
});

function tableOf(epoch: number, owner: string): RingTable {
  const parts = [{ ...unownedPart, owner, epoch, recovery: "none" as const }];
  return { incarnation: "i", epoch, replicas: 1, members, parts };
}

it.each(["not-owner", "not-ready"] as const)(
  "asks the next owner at once when it hears of it with the refusal %s",
  async (refusal) => {
    vi.useFakeTimers();
    let table = tableOf(1, "b");
    const asked: string[] = [];
    const router = new Router({
      selfId: "a",
      clock: createMonotonicClock(),
      random: () => 1,
      table: () => table,
      whenTable: async () => {},
      onNextTable: () => () => {},
      serveHere: () => Promise.reject(new Error("not expected here")),
      send: async (address) => {
        asked.push(address);
        if (address === "c") return encodeAnswer({ outcome: "done", body: Buffer.from("c's") });
        // The table changes while the answer is under way.
        table = tableOf(2, "c");
        return encodeAnswer({ outcome: "refused", refusal, epoch: 2 });
      },
      cutOff: () => undefined,
      maxPending: 10,
    });
    const request = { kind: "read", query: new Uint8Array(), staleOk: false } as const;
    const answer = await router.ask(0, request, { timeoutMs: 1000, signal: undefined });
    expect(Buffer.from(answer).toString()).toBe("c's");
    expect(asked).toEqual(["b", "c"]);
  },
);
