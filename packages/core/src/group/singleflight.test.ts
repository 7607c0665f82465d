import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { settled } from "../../test/stepped-clock.ts";
import { ParsecError } from "../errors.ts";
import { SharedSignals } from "../shared-signals.ts";
import { type Flight, Singleflight } from "./singleflight.ts";

const failure = new ParsecError("ORIGIN_FAILED", "no");

function newFlights(): { flights: Singleflight<string>; cutShort: Flight<string>[] } {
  const cutShort: Flight<string>[] = [];
  return {
    flights: new Singleflight(new SharedSignals(), (flight) => cutShort.push(flight)),
    cutShort,
  };
}

/** What a promise has come to by now. */
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
  it("brings one value to all who wait, with and without a signal", async () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const waiting = [flight.wait(undefined), flight.wait(new AbortController().signal)];
    flights.end(flight);
    flight.resolve("v");
    expect(await Promise.all(waiting)).toEqual(["v", "v"]);
    expect(flight.settled).toBe(true);
  });

  it("I5 brings the same error, not a copy, to all who wait", async () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const waiting = [flight.wait(undefined), flight.wait(new AbortController().signal)];
    flight.reject(failure);
    for (const promise of waiting) await expect(promise).rejects.toBe(failure);
  });

  it("I4 lets a caller leave alone", async () => {
    const { flights, cutShort } = newFlights();
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
    expect(cutShort).toEqual([]);
    flight.resolve("v");
    expect(await Promise.all([other, stayer])).toEqual(["v", "v"]);
  });

  it("I4 is aborted when the last of its waiters has left, and off the table at once", async () => {
    const { flights, cutShort } = newFlights();
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
    expect(cutShort).toEqual([flight]);
    await settled();
    for (const seen of left) expect(seen()).toMatchObject({ code: "ABORTED" });
  });

  it("I4 is not aborted while someone waits who cannot leave", () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const leaver = new AbortController();
    outcome(flight.wait(leaver.signal));
    outcome(flight.wait(undefined));
    leaver.abort();
    expect(flight.settled).toBe(false);
  });

  it("I4 is not aborted when it is kept, although nobody waits", () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    flight.keep();
    const leaver = new AbortController();
    outcome(flight.wait(leaver.signal));
    leaver.abort();
    expect(flight.settled).toBe(false);
    expect(flights.get("k")).toBe(flight);
  });

  it("I4 lets a caller leave whose signal fired before it began to wait", async () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const left = outcome(flight.wait(AbortSignal.abort("early")));
    await settled();
    expect(left()).toMatchObject({ code: "ABORTED", cause: "early" });
    expect(flight.settled).toBe(true);
    expect(flights.size).toBe(0);
  });

  it("gives a load that looks late a signal that has fired already", () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const leaver = new AbortController();
    outcome(flight.wait(leaver.signal));
    leaver.abort();
    expect(flight.signal.aborted).toBe(true);
    expect(flight.signal.reason).toMatchObject({ code: "ABORTED" });
  });

  it("settles once: what its load brings after it ended changes nothing", async () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    const seen = outcome(flight.wait(undefined));
    flights.cutShort(flight, failure);
    flight.resolve("late");
    flight.reject(new ParsecError("TIMEOUT", "later still"));
    await settled();
    expect(seen()).toBe(failure);
  });

  it("does not hear an abort after it ended", async () => {
    const { flights, cutShort } = newFlights();
    const flight = flights.start("k");
    const leaver = new AbortController();
    const waiting = flight.wait(leaver.signal);
    flights.end(flight);
    flight.resolve("v");
    await waiting;
    leaver.abort();
    expect(flight.signal.aborted).toBe(false);
    expect(cutShort).toEqual([]);
  });

  it("takes its listeners off the callers' signals when it ends", async () => {
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

  it("tells once that it has settled, such as to stop its timer", () => {
    const { flights } = newFlights();
    const stopped = [vi.fn(), vi.fn(), vi.fn()] as const;
    const [one, two, three] = stopped.map((onSettled, index) => {
      const flight = flights.start(`k${index}`);
      flight.onSettled = onSettled;
      return flight;
    }) as [Flight<string>, Flight<string>, Flight<string>];
    one.resolve("v");
    two.reject(failure);
    flights.cutShort(three, failure);
    for (const onSettled of stopped) expect(onSettled).toHaveBeenCalledTimes(1);
  });

  it("I8 never ends the process by a rejection that nobody waits for", async () => {
    const { flights } = newFlights();
    flights.start("k").reject(failure);
    flights.cutShort(flights.start("other"), failure);
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

describe("Flights", () => {
  it("shares the flight of a key until it ends", () => {
    const { flights } = newFlights();
    const flight = flights.start("k");
    expect(flights.get("k")).toBe(flight);
    expect(flights.get("other")).toBeUndefined();
    flights.end(flight);
    expect(flights.get("k")).toBeUndefined();
  });

  it("I2 fences a flight off: nobody joins it, its waiters are answered", async () => {
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
    // The end of the old flight leaves the new one on the table.
    expect(flights.get("k")).toBe(fresh);
    expect(flights.size).toBe(1);
  });

  it("I2 fences off all flights at once", () => {
    const { flights } = newFlights();
    const all = ["a", "b", "c"].map((key) => flights.start(key));
    flights.detachAll();
    for (const flight of all) {
      expect(flight.detached).toBe(true);
      expect(flights.get(flight.key)).toBeUndefined();
    }
    expect(flights.size).toBe(3);
  });

  it("keeps a flight for itself that is started alone", () => {
    const { flights } = newFlights();
    const alone = flights.startAlone();
    expect(alone.detached).toBe(true);
    expect(flights.get("")).toBeUndefined();
    expect(flights.size).toBe(1);
    flights.end(alone);
    expect(flights.size).toBe(0);
  });

  it("ends every flight, detached and alone too, when it is cut short", async () => {
    const { flights, cutShort } = newFlights();
    const all = [flights.start("a"), flights.start("b"), flights.startAlone()];
    flights.detach("b");
    const seen = all.map((flight) => outcome(flight.wait(undefined)));
    const closed = new ParsecError("CLOSED", "closed");
    flights.cutAllShort(closed);
    await settled();
    for (const look of seen) expect(look()).toBe(closed);
    for (const flight of all) expect(flight.signal.reason).toBe(closed);
    expect(new Set(cutShort)).toEqual(new Set(all));
    expect(flights.size).toBe(0);
  });

  it("I8 holds exactly the flights that are under way, whatever happens to them", () => {
    const anyKey = fc.nat(200).map((index) => `key ${index}`);
    const step = fc.record({
      kind: fc.constantFrom("start", "start", "end", "detach", "cutShort", "detachAll"),
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
          } else if (kind === "cutShort" && flight !== undefined) {
            flights.cutShort(flight, failure);
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
        flights.cutAllShort(failure);
        expect(flights.size).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it("finds each of thousands of flights", () => {
    const { flights } = newFlights();
    const all = Array.from({ length: 5000 }, (_, index) => flights.start(`key ${index}`));
    expect(flights.size).toBe(5000);
    for (const flight of all) expect(flights.get(flight.key)).toBe(flight);
    for (const flight of all) flights.end(flight);
    for (const flight of all) flights.end(flight);
    expect(flights.size).toBe(0);
  });
});
