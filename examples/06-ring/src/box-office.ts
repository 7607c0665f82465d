import { setInterval } from "node:timers/promises";
import { isParsecError } from "@parsec/core";
import { createRing, type Ring, type RingOptions } from "@parsec/ring";
import { fromBytes, toBytes } from "./json-bytes.ts";
import { type Seat, type SeatAnswer, type SeatChange, SeatPlan, showOf } from "./seat-plan.ts";

export interface BoxOffice {
  readonly ring: Ring;
  /** Keeps a seat for a buyer who has yet to pay. */
  hold(seat: string, buyer: string, forMs: number): Promise<SeatAnswer>;
  pay(seat: string, buyer: string): Promise<SeatAnswer>;
  /** The seats of a show that are not free. */
  seatsOf(show: string): Promise<ReadonlyMap<string, Seat>>;
}

/**
 * One node. It may be asked for any show, and decides for those that it owns: there it has the only
 * clock that runs, and its handlers are the only ones that serve.
 */
export function createBoxOffice(options: Omit<RingOptions, "state">): BoxOffice {
  const plan = new SeatPlan();
  const ring = createRing({ ...options, state: plan });
  const clocks = new Map<number, AbortController>();

  // The seats are here by now: from the last owner, or as a backup's copy of them.
  ring.onOwn((partitions, { lost }) => {
    if (lost) console.log(`${ring.nodeId}: all copies of partitions ${partitions} are lost`);
    for (const partition of partitions) {
      const stop = new AbortController();
      clocks.set(partition, stop);
      freeInTime(partition, stop.signal).catch(() => {}); // it was stopped
    }
  });

  // In a planned move nobody serves the partition until this has ended.
  ring.onRelease((partitions) => {
    for (const partition of partitions) clocks.get(partition)?.abort();
  });

  async function freeInTime(partition: number, signal: AbortSignal): Promise<void> {
    for await (const _ of setInterval(100, undefined, { signal, ref: false })) {
      const writes = plan.overdue(partition, Date.now()).map((held) => {
        const change: SeatChange = { do: "expire", ...held };
        return ring.write(showOf(held.seat), toBytes(change), { signal });
      });
      await Promise.allSettled(writes); // what failed is due in the next round as well
    }
  }

  ring.handle("hold", ({ payload, write }) => {
    const { seat, buyer, forMs } = fromBytes<{ seat: string; buyer: string; forMs: number }>(
      payload,
    );
    const change: SeatChange = { do: "hold", seat, buyer, untilMs: Date.now() + forMs };
    return write(toBytes(change)); // answered when another node has it too
  });

  async function ask<Answer>(request: () => Promise<Uint8Array>): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return fromBytes<Answer>(await request());
      } catch (error) {
        // The owner went while it was asked, and nobody can say whether it came to it. All that is asked
        // here may be asked again; what may not (to charge a card) takes a number that is remembered.
        const isUnknown = isParsecError(error) && error.code === "PEER_UNREACHABLE";
        if (!isUnknown || attempt === 10) throw error;
      }
    }
  }

  return {
    ring,
    hold: (seat, buyer, forMs) =>
      ask(() => ring.call(showOf(seat), "hold", toBytes({ seat, buyer, forMs }))),
    pay(seat, buyer) {
      const change: SeatChange = { do: "pay", seat, buyer };
      return ask(() => ring.write(showOf(seat), toBytes(change)));
    },
    async seatsOf(show) {
      return new Map(await ask<[string, Seat][]>(() => ring.read(show, toBytes(show))));
    },
  };
}
