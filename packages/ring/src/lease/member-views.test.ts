import { expect, it } from "vitest";
import type { LiveMember } from "../table/plan-survivors.ts";
import type { RingTable } from "../table/ring-table.ts";
import type { LeaseRecord } from "./lease-record.ts";
import { MemberViews } from "./member-views.ts";

const self: LiveMember = {
  id: "a",
  session: "a1",
  address: "a",
  zone: "",
  weight: 1,
  durable: false,
};
const record = { ...self, id: "b", session: "b1", address: "b", status: "active" } as LeaseRecord;
const members = [self, record].map(({ id, session, address, zone, weight }) => {
  return { id, session, address, zone, weight, present: true };
});
const table: RingTable = { incarnation: "i", epoch: 1, replicas: 2, members, parts: [] };
const timing = { leaseMs: 1800, marginMs: 200 } as ConstructorParameters<typeof MemberViews>[0];

it("starts the full time of a session over each time its record disappears", () => {
  const views = new MemberViews(timing);
  const living = (nowMs: number) => views.living(table, { self, nowMs }).map(({ id }) => id);
  views.heard("m.b", { record, revision: 1 }, 0);
  views.retain(new Set(), 100);
  expect(living(100)).toEqual(["a", "b"]);
  for (let nowMs = 101, revision = 2; nowMs <= 3000; nowMs += 600, revision++) {
    views.heard("m.b", { record, revision }, nowMs);
    expect(living(nowMs)).toEqual(["a", "b"]);
  }
  views.retain(new Set(), 3001);
  expect(living(3001)).toEqual(["a", "b"]);
  expect(living(5000)).toEqual(["a", "b"]);
  expect(living(5001)).toEqual(["a"]);
});
