import type { ApplyContext, PartitionState } from "@parsec/ring";
import { fromBytes, toBytes } from "./json-bytes.ts";

export interface Seat {
  readonly buyer: string;
  /** The seat is held until this time, in Unix milliseconds. Absent once it is paid. */
  readonly untilMs?: number;
}

export type SeatChange =
  | { readonly do: "hold"; readonly seat: string; readonly buyer: string; readonly untilMs: number }
  | { readonly do: "pay"; readonly seat: string; readonly buyer: string }
  | { readonly do: "expire"; readonly seat: string; readonly untilMs: number };

export type SeatAnswer = "held" | "sold" | "taken" | "free";

/** Seats are named show/number. All seats of a show have the same owner. */
export const showOf = (seat: string): string => seat.slice(0, seat.indexOf("/"));

/** The buyer of each seat, by partition: the state that the ring copies, moves and recovers. */
export class SeatPlan implements PartitionState {
  readonly #partitions: Map<number, Map<string, Seat>> = new Map();

  /** Runs on the owner and on each backup, so it must not read a clock: the change carries the time. */
  apply(op: Uint8Array, { partition }: ApplyContext): Uint8Array {
    return toBytes(changeSeat(this.#seats(partition), fromBytes<SeatChange>(op)));
  }

  /** All seats of a show that are not free. */
  read(query: Uint8Array, partition: number): Uint8Array {
    const show = fromBytes<string>(query);
    return toBytes([...this.#seats(partition)].filter(([seat]) => showOf(seat) === show));
  }

  *snapshot(partition: number): Generator<Uint8Array> {
    yield toBytes([...this.#seats(partition)]);
  }

  async restore(
    chunks: AsyncIterable<Uint8Array>,
    { partition }: { readonly partition: number },
  ): Promise<void> {
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks) parts.push(chunk);
    this.#partitions.set(partition, new Map(fromBytes<[string, Seat][]>(Buffer.concat(parts))));
  }

  drop(partition: number): void {
    this.#partitions.delete(partition);
  }

  /** Seats that were held until `nowMs` or before. */
  overdue(partition: number, nowMs: number): { readonly seat: string; readonly untilMs: number }[] {
    return [...this.#seats(partition)].flatMap(([seat, { untilMs }]) =>
      untilMs !== undefined && untilMs <= nowMs ? [{ seat, untilMs }] : [],
    );
  }

  #seats(partition: number): Map<string, Seat> {
    const seats = this.#partitions.get(partition) ?? new Map<string, Seat>();
    this.#partitions.set(partition, seats);
    return seats;
  }
}

/** Changes are idempotent, because a retry may apply one twice. */
function changeSeat(seats: Map<string, Seat>, change: SeatChange): SeatAnswer {
  const { seat } = change;
  const now = seats.get(seat);
  if (change.do === "expire") {
    if (now?.untilMs === change.untilMs) seats.delete(seat);
    return "free";
  }
  const { buyer } = change;
  if (now !== undefined && now.buyer !== buyer) return "taken";
  if (change.do === "pay") {
    if (now === undefined) return "free"; // the hold has expired
    seats.set(seat, { buyer });
    return "sold";
  }
  if (now !== undefined) return now.untilMs === undefined ? "sold" : "held";
  seats.set(seat, { buyer, untilMs: change.untilMs });
  return "held";
}
