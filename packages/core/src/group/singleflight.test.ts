import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { SteppedClock, settled } from "../../test/stepped-clock.ts";
import { ParsecError } from "../errors.ts";
import { SharedSignals } from "../shared-signals.ts";
import { type Flight, Singleflight } from "./singleflight.ts";

const failure = new ParsecError("ORIGIN_FAILED", "no");

function newFlights(): { flights: Singleflight<string>; cancelled: Flight<string>[] } {
  const cancelled: Flight<string>[] = [];
  return {
    flights: new Singleflight(
      { signals: new SharedSignals(), clock: new SteppedClock() },
      (flight) => cancelled.push(flight),
    ),
    cancelled,
  };
}

/** The present state of a promise. */
function outcome<T>(promise: Promise<T>): () => unknown {
  let seen: unknown = "pending";
  promise.then(
    (value) => {
      seen = value;
    },
    (error: unknown) => {
      seen = error;
    },
  );
  return () => seen;
}

describe("Flight", () => {
  it("resolves all waiters with one value, with and without a signal", async () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const waiting = [flight.wait(undefined), flight.wait(new AbortController().signal)];
    flights.end(flight);
    flight.resolve("v");
    expect(await Promise.all(waiting)).toEqual(["v", "v"]);
    expect(flight.settled).toBe(true);
  });

  it("I5 rejects all waiters with the same error instance", async () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const waiting = [flight.wait(undefined), flight.wait(new AbortController().signal)];
    flight.reject(failure);
    for (const promise of waiting) await expect(promise).rejects.toBe(failure);
  });

  it("I4 rejects an aborted caller alone", async () => {
    const { flights, cancelled } = newFlights();
    const flight = flights.start("k");
    const leaver = new AbortController();
    const left = outcome(flight.wait(leaver.signal));
    const other = flight.wait(new AbortController().signal);
    const stayer = flight.wait(undefined);
    const reason = new Error("tired");
    leaver.abort(reason);
    await settled();
    expect(left()).toMatchObject({ code: "ABORTED", cause: reason });
    expect(flight.settled).toBe(false);
    expect(flight.signal.aborted).toBe(false);
    expect(cancelled).toEqual([]);
    flight.resolve("v");
    expect(await Promise.all([other, stayer])).toEqual(["v", "v"]);
  });

  it("I4 is cancelled when its last waiter has aborted, and leaves the table at once", async () => {
    const { flights, cancelled } = newFlights();
    const flight = flights.start("k");
    const { signal } = flight;
    const leavers = [new AbortController(), new AbortController()];
    const left = leavers.map((leaver) => outcome(flight.wait(leaver.signal)));
    leavers[0]?.abort();
    expect(signal.aborted).toBe(false);
    leavers[1]?.abort();
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: "ABORTED" });
    expect(flights.get("k")).toBeUndefined();
    expect(flights.size).toBe(0);
    expect(cancelled).toEqual([flight]);
    await settled();
    for (const seen of left) expect(seen()).toMatchObject({ code: "ABORTED" });
  });

  it("I4 is not cancelled while a waiter without a signal remains", () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const leaver = new AbortController();
    outcome(flight.wait(leaver.signal));
    outcome(flight.wait(undefined));
    leaver.abort();
    expect(flight.settled).toBe(false);
  });

  it("I4 is not cancelled after runToEnd, even without waiters", () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    flight.runToEnd();
    const leaver = new AbortController();
    outcome(flight.wait(leaver.signal));
    leaver.abort();
    expect(flight.settled).toBe(false);
    expect(flights.get("k")).toBe(flight);
  });

  it("I4 rejects a caller whose signal fired before it waited", async () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const left = outcome(flight.wait(AbortSignal.abort("early")));
    await settled();
    expect(left()).toMatchObject({ code: "ABORTED", cause: "early" });
    expect(flight.settled).toBe(true);
    expect(flights.size).toBe(0);
  });

  it("passes a load that reads its signal late a signal that has fired", () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const leaver = new AbortController();
    outcome(flight.wait(leaver.signal));
    leaver.abort();
    expect(flight.signal.aborted).toBe(true);
    expect(flight.signal.reason).toMatchObject({ code: "ABORTED" });
  });

  it("settles once and ignores a later result of its load", async () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const seen = outcome(flight.wait(undefined));
    flights.cancel(flight, failure);
    flight.resolve("late");
    flight.reject(new ParsecError("TIMEOUT", "later still"));
    await settled();
    expect(seen()).toBe(failure);
  });

  it("ignores an abort after it has settled", async () => {
    const { flights, cancelled } = newFlights();
    const flight = flights.start("k");
    const leaver = new AbortController();
    const waiting = flight.wait(leaver.signal);
    flights.end(flight);
    flight.resolve("v");
    await waiting;
    leaver.abort();
    expect(flight.signal.aborted).toBe(false);
    expect(cancelled).toEqual([]);
  });

  it("removes its listeners from the callers' signals when it settles", async () => {
    const { flights } = newFlights();
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    for (let round = 0; round < 20; round++) {
      const flight = flights.start("k");
      const waiting = flight.wait(signal);
      flights.end(flight);
      if (round % 2) flight.resolve("v");
      else flight.reject(failure);
      await waiting.catch(() => {});
    }
    expect(added).toHaveBeenCalledTimes(20);
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
  });

  it("calls onSettled once", () => {
    const { flights } = newFlights();
    const stopped = [vi.fn(), vi.fn(), vi.fn()] as const;
    const [one, two, three] = stopped.map((onSettled, index) => {
      const flight = flights.start(`k${index}`);
      flight.onSettled = onSettled;
      return flight;
    }) as [Flight<string>, Flight<string>, Flight<string>];
    one.resolve("v");
    two.reject(failure);
    flights.cancel(three, failure);
    for (const onSettled of stopped) expect(onSettled).toHaveBeenCalledTimes(1);
  });

  it("I8 never causes an unhandled rejection", async () => {
    const { flights } = newFlights();
    flights.start("k").reject(failure);
    flights.cancel(flights.start("other"), failure);
    const leaver = new AbortController();
    const left = flights
      .start("third")
      .wait(leaver.signal)
      .catch(() => "left");
    leaver.abort();
    expect(await left).toBe("left");
    await settled();
  });
});

describe("Singleflight", () => {
  it("shares the flight of a key until it ends", () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    expect(flights.get("k")).toBe(flight);
    expect(flights.get("other")).toBeUndefined();
    flights.end(flight);
    expect(flights.get("k")).toBeUndefined();
  });

  it("I2 detaches a flight, which no caller joins and whose waiters are settled", async () => {
    const { flights } = newFlights();
    const old = flights.start("k");
    const waiting = old.wait(undefined);
    flights.detach("k");
    expect(old.detached).toBe(true);
    expect(flights.get("k")).toBeUndefined();
    expect(flights.size).toBe(1);
    const fresh = flights.start("k");
    expect(fresh).not.toBe(old);
    expect(fresh.detached).toBe(false);
    flights.end(old);
    old.resolve("old");
    expect(await waiting).toBe("old");
    // The end of the detached flight does not remove the new one.
    expect(flights.get("k")).toBe(fresh);
    expect(flights.size).toBe(1);
  });

  it("I2 detaches all flights at once", () => {
    const { flights } = newFlights();
    const all = ["a", "b", "c"].map((key) => flights.start(key));
    flights.detachAll();
    for (const flight of all) {
      expect(flight.detached).toBe(true);
      expect(flights.get(flight.key)).toBeUndefined();
    }
    expect(flights.size).toBe(3);
  });

  it("does not share a flight from startUnshared", () => {
    const { flights } = newFlights();
    const alone = flights.startUnshared();
    expect(alone.detached).toBe(true);
    expect(flights.get("")).toBeUndefined();
    expect(flights.size).toBe(1);
    flights.end(alone);
    expect(flights.size).toBe(0);
  });

  it("cancels every flight, detached and unshared ones included", async () => {
    const { flights, cancelled } = newFlights();
    const all = [flights.start("a"), flights.start("b"), flights.startUnshared()];
    flights.detach("b");
    const seen = all.map((flight) => outcome(flight.wait(undefined)));
    const closed = new ParsecError("CLOSED", "closed");
    flights.cancelAll(closed);
    await settled();
    for (const look of seen) expect(look()).toBe(closed);
    for (const flight of all) expect(flight.signal.reason).toBe(closed);
    expect(new Set(cancelled)).toEqual(new Set(all));
    expect(flights.size).toBe(0);
  });

  it("I8 contains exactly the flights in progress after any operations", () => {
    const anyKey = fc.nat(200).map((index) => `key ${index}`);
    const step = fc.record({
      kind: fc.constantFrom("start", "start", "end", "detach", "cancel", "detachAll"),
      key: anyKey,
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
        const { flights } = newFlights();
        const joinable = new Map<string, Flight<string>>();
        const detached = new Set<Flight<string>>();
        for (const { kind, key } of steps) {
          const flight = joinable.get(key);
          if (kind === "start" && flight === undefined) {
            joinable.set(key, flights.start(key));
          } else if (kind === "end" && flight !== undefined) {
            flights.end(flight);
            joinable.delete(key);
          } else if (kind === "cancel" && flight !== undefined) {
            flights.cancel(flight, failure);
            joinable.delete(key);
          } else if (kind === "detach") {
            flights.detach(key);
            if (flight !== undefined) detached.add(flight);
            joinable.delete(key);
          } else if (kind === "detachAll" && key.endsWith("0")) {
            flights.detachAll();
            for (const each of joinable.values()) detached.add(each);
            joinable.clear();
          } else if (kind === "end") {
            const [first] = detached;
            if (first !== undefined) flights.end(first);
            detached.delete(first as Flight<string>);
          }
          expect(flights.get(key)).toBe(joinable.get(key));
          expect(flights.size).toBe(joinable.size + detached.size);
        }
        for (const [key, flight] of joinable) expect(flights.get(key)).toBe(flight);
        flights.cancelAll(failure);
        expect(flights.size).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it("finds each of thousands of flights by key", () => {
    const { flights } = newFlights();
    const all = Array.from({ length: 5000 }, (_, index) => flights.start(`key ${index}`));
    expect(flights.size).toBe(5000);
    for (const flight of all) expect(flights.get(flight.key)).toBe(flight);
    for (const flight of all) flights.end(flight);
    for (const flight of all) flights.end(flight);
    expect(flights.size).toBe(0);
  });
});
