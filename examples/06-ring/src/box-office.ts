import { setInterval } from "node:timers/promises";
import { isParsecError } from "@parsec/core";
import { createRing, type Ring, type RingOptions } from "@parsec/ring";
import { fromBytes, toBytes } from "./json-bytes.ts";
import { type Seat, type SeatAnswer, type SeatChange, SeatPlan, showOf } from "./seat-plan.ts";

export interface BoxOffice {
  readonly ring: Ring;
  /** Reserves a seat for a buyer for `forMs`, until it is paid. */
  hold(seat: string, buyer: string, forMs: number): Promise<SeatAnswer>;
  pay(seat: string, buyer: string): Promise<SeatAnswer>;
  /** The seats of a show that are not free. */
  seatsOf(show: string): Promise<ReadonlyMap<string, Seat>>;
}

/**
 * One node. It accepts requests for all shows. For the shows that it owns, its timers and its handlers are the
 * only ones that run.
 */
export function createBoxOffice(options: Omit<RingOptions, "state">): BoxOffice {
  const plan = new SeatPlan();
  const ring = createRing({ ...options, state: plan });
  const timers = new Map<number, AbortController>();

  // The seats are already here, from the last owner or from a backup.
  ring.onOwn((partitions, { lost }) => {
    if (lost) console.log(`${ring.nodeId}: all copies of partitions ${partitions} are lost`);
    for (const partition of partitions) {
      const stop = new AbortController();
      timers.set(partition, stop);
      freeInTime(partition, stop.signal).catch(() => {}); // ends with an abort error
    }
  });

  // In a planned move the partition is not served until this callback has returned.
  ring.onRelease((partitions) => {
    for (const partition of partitions) timers.get(partition)?.abort();
  });

  async function freeInTime(partition: number, signal: AbortSignal): Promise<void> {
    for await (const _ of setInterval(100, undefined, { signal, ref: false })) {
      const writes = plan.overdue(partition, Date.now()).map((held) => {
        const change: SeatChange = { do: "expire", ...held };
        return ring.write(showOf(held.seat), toBytes(change), { signal });
      });
      await Promise.allSettled(writes); // a failed write is repeated in the next round
    }
  }

  ring.handle("hold", ({ payload, write }) => {
    const { seat, buyer, forMs } = fromBytes<{ seat: string; buyer: string; forMs: number }>(
      payload,
    );
    const change: SeatChange = { do: "hold", seat, buyer, untilMs: Date.now() + forMs };
    return write(toBytes(change)); // resolves once another node has a copy
  });

  async function ask<Answer>(request: () => Promise<Uint8Array>): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      try {
        return fromBytes<Answer>(await request());
      } catch (error) {
        // The owner became unreachable during the request, so the outcome is unknown. The requests here are
        // idempotent and can be retried. One that is not (charging a card) needs an idempotency key.
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
