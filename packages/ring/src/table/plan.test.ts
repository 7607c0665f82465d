import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planTable } from "./plan.ts";
import { backupTargets } from "./plan-backups.ts";
import type { LiveMember } from "./plan-survivors.ts";
import { type RingTable, type TablePart, unownedPart } from "./ring-table.ts";
import { decodeTable, encodeTable } from "./table-codec.ts";

function member(id: string, over: Partial<LiveMember> = {}): LiveMember {
  const address = `at ${id}`;
  return { id, session: `${id}1`, address, zone: "", weight: 1, durable: false, ...over };
}

function emptyTable(partitions: number, replicas = 2): RingTable {
  const parts = Array.from({ length: partitions }, () => unownedPart);
  return { incarnation: "i", epoch: 1, replicas, members: [], parts };
}

interface Facts {
  readonly awaited?: ReadonlySet<string>;
  readonly maxMoves?: number;
}

function plan(table: RingTable, members: readonly LiveMember[], facts: Facts = {}): RingTable {
  return planTable(table, { members, awaited: new Set(), maxMoves: 4, ...facts });
}

/** Plans until nothing changes: owners have recovered, moves are done, and backups are complete. */
function settle(table: RingTable, members: readonly LiveMember[], facts: Facts = {}): RingTable {
  let current = plan(table, members, facts);
  for (let round = 0; round < 500; round++) {
    const targets = backupTargets(current);
    const parts = current.parts.map((part, number): TablePart => {
      if (part.next === undefined || part.owner === undefined) {
        const waits = current.members.some(({ id, present }) => id === part.owner && !present);
        return waits ? part : { ...part, recovery: "none", backups: targets[number] ?? [] };
      }
      const backups = [part.owner, ...part.backups].filter((id) => id !== part.next).slice(0, 1);
      const epoch = part.epoch + 1;
      return { ...part, owner: part.next, next: undefined, backups, epoch, lost: false };
    });
    const next = plan({ ...current, parts }, members, facts);
    if (JSON.stringify(next) === JSON.stringify(current)) return current;
    current = next;
  }
  throw new Error("the plan does not come to rest");
}

function loads(table: RingTable): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { owner } of table.parts) {
    if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}

function movedBetween(before: RingTable, after: RingTable): number {
  return before.parts.filter((part, number) => part.owner !== after.parts[number]?.owner).length;
}

const names = fc.uniqueArray(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 12 });
const partitions = fc.integer({ min: 1, max: 130 });

describe("the plan", () => {
  it("gives each node its share, rounded up or down", () => {
    fc.assert(
      fc.property(names, partitions, (ids, count) => {
        const table = settle(
          emptyTable(count),
          ids.map((id) => member(id)),
        );
        for (const id of ids) {
          const load = loads(table).get(id) ?? 0;
          expect(load).toBeLessThanOrEqual(Math.ceil(count / ids.length));
          expect(load).toBeGreaterThanOrEqual(Math.floor(count / ids.length));
        }
      }),
      { numRuns: 60 },
    );
  });

  it("moves only the newcomer's share when a node joins", () => {
    fc.assert(
      fc.property(names, partitions, (ids, count) => {
        const before = settle(
          emptyTable(count),
          ids.map((id) => member(id)),
        );
        const members = [...ids, "NEW"].map((id) => member(id));
        const after = settle(before, members);
        expect(movedBetween(before, after)).toBe(loads(after).get("NEW") ?? 0);
        expect(loads(after).get("NEW") ?? 0).toBeLessThanOrEqual(Math.ceil(count / members.length));
      }),
      { numRuns: 40 },
    );
  });

  it("moves only the leaver's partitions when a node leaves", () => {
    fc.assert(
      fc.property(names, partitions, (ids, count) => {
        fc.pre(ids.length > 1);
        const members = ids.map((id) => member(id));
        const before = settle(emptyTable(count), members);
        const gone = ids[0] as string;
        const leaving = members.map((each) => (each.id === gone ? { ...each, weight: 0 } : each));
        const after = settle(before, leaving);
        expect(loads(after).get(gone)).toBeUndefined();
        expect(movedBetween(before, after)).toBe(loads(before).get(gone) ?? 0);
      }),
      { numRuns: 40 },
    );
  });

  it("does not depend on the order of the members", () => {
    fc.assert(
      fc.property(names, partitions, fc.integer(), (ids, count, seed) => {
        const half = ids.slice(0, Math.ceil(ids.length / 2)).map((id) => member(id));
        const table = settle(emptyTable(count), half);
        const members = ids.map((id, at) => member(id, { zone: `z${at % 3}` }));
        const shuffled = [...members].sort((left, right) =>
          Math.imul(left.id.length + seed, 7919) < Math.imul(right.id.length, 104729) ? -1 : 1,
        );
        expect(plan(table, shuffled)).toEqual(plan(table, members));
      }),
      { numRuns: 40 },
    );
  });

  it("settles after any series of joins, crashes and returns, with an owner for every partition", () => {
    const step = fc.record({
      id: fc.constantFrom("a", "b", "c", "d", "e"),
      up: fc.boolean(),
      zone: fc.constantFrom("x", "y"),
      weight: fc.constantFrom(1, 1, 2),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), partitions, (steps, count) => {
        const up = new Map([["z", member("z")]]);
        let table = settle(emptyTable(count), [...up.values()]);
        for (const [at, { id, up: isUp, zone, weight }] of steps.entries()) {
          if (isUp) up.set(id, member(id, { zone, weight, session: `${id}-${at}` }));
          else up.delete(id);
          table = settle(table, [...up.values()]);
          for (const { owner } of table.parts) expect(up.has(owner as string)).toBe(true);
          const total = [...up.values()].reduce((sum, each) => sum + each.weight, 0);
          for (const each of up.values()) {
            const load = loads(table).get(each.id) ?? 0;
            expect(load).toBeLessThanOrEqual(Math.ceil((count * each.weight) / total));
          }
          expect(decodeTable(encodeTable(table))).toEqual(table);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("limits the moves from and to each node", () => {
    const before = settle(emptyTable(64), [member("a"), member("b")]);
    const during = plan(before, [member("a"), member("b"), member("c")], { maxMoves: 3 });
    const moving = during.parts.filter(({ next }) => next !== undefined);
    expect(moving).toHaveLength(3);
    expect(during.parts.map(({ owner }) => owner)).toEqual(before.parts.map(({ owner }) => owner));
  });

  it("promotes a backup under a new epoch when an owner dies, without loss", () => {
    const before = settle(emptyTable(64), [member("a"), member("b"), member("c")]);
    const after = plan(before, [member("b"), member("c")]);
    for (const [number, part] of after.parts.entries()) {
      const old = before.parts[number] as TablePart;
      expect(part.lost).toBe(false);
      if (old.owner !== "a") continue;
      expect(old.backups).toContain(part.owner);
      expect(part.epoch).toBe(old.epoch + 1);
    }
  });

  it("treats a member with a new session as one that died", () => {
    const before = settle(emptyTable(8), [member("a"), member("b")]);
    const after = plan(before, [member("a", { session: "a2" }), member("b")]);
    for (const [number, part] of after.parts.entries()) {
      if (before.parts[number]?.owner === "a") expect(part).toMatchObject({ owner: "b" });
      expect(part.backups).not.toContain("a");
    }
  });

  it("marks a partition without a holder as lost, and gives it to its former node first", () => {
    const before = settle(emptyTable(8, 1), [member("a"), member("b")]);
    const restarted = plan(before, [member("a", { session: "a2" }), member("b")]);
    for (const [number, part] of restarted.parts.entries()) {
      const old = before.parts[number] as TablePart;
      expect(part).toMatchObject({ owner: old.owner, lost: old.owner === "a" });
      expect(part.epoch).toBe(old.owner === "a" ? old.epoch + 1 : old.epoch);
    }
    const alone = plan(before, [member("b")]);
    for (const [number, part] of alone.parts.entries()) {
      expect(part).toMatchObject({ owner: "b", lost: before.parts[number]?.owner === "a" });
    }
  });

  it("keeps partitions for an awaited member, and returns them with its data", () => {
    const before = settle(emptyTable(8, 1), [member("a"), member("b")]);
    const awaited = new Set(["a"]);
    const waiting = plan(before, [member("b")], { awaited });
    expect(waiting.parts.map(({ owner }) => owner)).toEqual(before.parts.map(({ owner }) => owner));
    expect(waiting.members.find(({ id }) => id === "a")?.present).toBe(false);
    const back = plan(waiting, [member("a", { session: "a2", durable: true }), member("b")]);
    for (const [number, part] of back.parts.entries()) {
      expect(part).toMatchObject({ owner: before.parts[number]?.owner, lost: false });
    }
    const never = plan(waiting, [member("b")]);
    expect(never.parts.filter(({ lost }) => lost)).toHaveLength(4);
  });

  it("returns the same object when nothing has to change", () => {
    const members = [member("a"), member("b")];
    const table = settle(emptyTable(16), members);
    expect(plan(table, members)).toBe(table);
  });
});

describe("the backups", () => {
  it("are placed in another zone where there is one, and spread evenly", () => {
    const members = ["a", "b", "c", "d"].map((id, at) => member(id, { zone: `z${at % 2}` }));
    const table = settle(emptyTable(64), members);
    const counts = new Map<string, number>();
    for (const { owner, backups } of table.parts) {
      expect(backups).toHaveLength(1);
      for (const id of backups) {
        counts.set(id, (counts.get(id) ?? 0) + 1);
        const zones = [owner, id].map((each) => members.find((one) => one.id === each)?.zone);
        expect(new Set(zones).size).toBe(2);
      }
    }
    for (const count of counts.values()) expect(count).toBeLessThanOrEqual(17);
  });

  it("are as many as the number of nodes allows", () => {
    expect(settle(emptyTable(4, 3), [member("a")]).parts[0]?.backups).toEqual([]);
    expect(settle(emptyTable(4, 3), [member("a"), member("b")]).parts[0]?.backups).toHaveLength(1);
    const four = ["a", "b", "c", "d"].map((id) => member(id));
    expect(settle(emptyTable(4, 3), four).parts[0]?.backups).toHaveLength(2);
  });
});
