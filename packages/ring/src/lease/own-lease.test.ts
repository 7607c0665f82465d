import { createManualClock, type ManualClock } from "@parsec/testkit";
import { expect, it } from "vitest";
import type { CoordinatorEntry } from "../coordinator/coordinator.ts";
import { createMemoryHub, type MemoryHub } from "../coordinator/memory-hub.ts";
import { decodeLease } from "./lease-record.ts";
import { OwnLease } from "./own-lease.ts";

const self = { id: "a", address: "a", zone: "", weight: 1, durable: false };

function hold(
  hub: MemoryHub,
  how: { readonly clock: ManualClock; readonly onSnapshot?: () => void },
): OwnLease {
  const { coordinator } = hub.seat();
  const { clock } = how;
  const lease = new OwnLease({
    leaseMs: 1800,
    marginMs: 200,
    clock,
    wallNow: () => clock.now(),
    coordinator,
    self,
    onValid: () => {},
    onInvalid: () => {},
    onReplaced: () => {},
    onError: () => {},
  });
  const own = ({ key, revision, value }: CoordinatorEntry) => {
    return { revision, session: value === undefined ? undefined : decodeLease(key, value).session };
  };
  coordinator.start({
    snapshot(entries) {
      const entry = entries.find(({ key }) => key === lease.key);
      how.onSnapshot?.();
      lease.connected(entry && own(entry));
    },
    changed: (entry) => lease.seen(own(entry)),
    lost: () => {},
    warning: () => {},
  });
  return lease;
}

it("goes to the newer of two processes with one name, even when the older one renews in between", async () => {
  const clock = createManualClock();
  const hub = createMemoryHub();
  const older = hold(hub, { clock });
  await clock.run(1);
  expect(older.isValid).toBe(true);
  let isFirst = true;
  const newer = hold(hub, {
    clock,
    onSnapshot() {
      if (isFirst) void older.renew();
      isFirst = false;
    },
  });
  const seen: string[] = [];
  for (let beat = 0; beat < 20; beat++) {
    await clock.run(600);
    seen.push(`${older.isValid ? "older" : ""}${newer.isValid ? "newer" : ""}`);
  }
  expect(seen.slice(3)).toEqual(seen.slice(3).map(() => "newer"));
  expect(seen).not.toContain("oldernewer");
  for (const lease of [older, newer]) lease.stop();
});
