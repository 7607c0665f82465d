import fc from "fast-check";
import type { RegisterOperation } from "../src/linearizability/register-operation.ts";
import { createSeededRandom } from "../src/seeded-random.ts";

export interface RegisterRunOptions {
  readonly operationCount: number;
  readonly keyCount?: number;
  /** Maximum duration of an operation; one starts each millisecond on average. */
  readonly maxDurationMs?: number;
  /** Share of operations without an answer. */
  readonly lostShare?: number;
  readonly hasDeletes?: boolean;
}

/**
 * Operations as clients of an atomic register would record them: each takes effect at one moment between
 * its start and its end. Operations whose answer is lost take effect at any time after their start, or
 * never. Every write has a unique value.
 */
export function runAtomicRegister(seed: number, options: RegisterRunOptions): RegisterOperation[] {
  const { operationCount, keyCount = 1, maxDurationMs = 8, lostShare = 0.1 } = options;
  const random = createSeededRandom(seed);
  const planned = Array.from({ length: operationCount }, (_, number) => {
    const startedAt = random() * operationCount;
    const isLost = random() < lostShare;
    const isDone = !isLost || random() < 0.5;
    const patience = isLost ? operationCount : maxDurationMs;
    const effectAt = startedAt + random() * random() * patience;
    const endedAt = isLost ? undefined : effectAt + random() * random() * maxDurationMs;
    const pick = random();
    const kind = pick < 0.4 ? "set" : options.hasDeletes && pick < 0.55 ? "delete" : "get";
    const key = `k${Math.floor(random() * keyCount)}`;
    return { number, key, kind, startedAt, endedAt, effectAt, isDone } as const;
  });
  const held = new Map<string, string>();
  const history: RegisterOperation[] = [];
  for (const operation of planned.toSorted((one, other) => one.effectAt - other.effectAt)) {
    const { number, key, kind, startedAt, endedAt, isDone } = operation;
    const common = { client: `c${number % 7}`, key, startedAt, endedAt, ok: endedAt !== undefined };
    const value = held.get(key);
    if (kind === "get") {
      history.push({ ...common, kind, value: endedAt === undefined ? undefined : value });
    } else if (kind === "set") {
      history.push({ ...common, kind, value: `v${number}` });
      if (isDone) held.set(key, `v${number}`);
    } else {
      history.push({ ...common, kind, found: random() < 0.5 ? undefined : value !== undefined });
      if (isDone) held.delete(key);
    }
  }
  return history;
}

/** Small histories of an atomic register, which shrink to readable ones. */
export function atomicHistories(
  fixed: Omit<RegisterRunOptions, "operationCount"> = {},
): fc.Arbitrary<RegisterOperation[]> {
  return fc
    .record({
      seed: fc.nat(),
      operationCount: fc.integer({ min: 1, max: 120 }),
      maxDurationMs: fc.integer({ min: 1, max: 20 }),
      lostShare: fc.constantFrom(0, 0.1, 0.3),
      hasDeletes: fc.boolean(),
    })
    .map(({ seed, ...options }) => runAtomicRegister(seed, { ...options, ...fixed }));
}

/** A few operations on one key with arbitrary answers and repeated values. */
export function arbitraryHistories(): fc.Arbitrary<RegisterOperation[]> {
  const value = fc.constantFrom("a", "b", "c");
  const operation = fc
    .record({
      kind: fc.constantFrom("set", "get", "delete"),
      value,
      isThere: fc.boolean(),
      saysFound: fc.boolean(),
      startedAt: fc.nat(12),
      durationMs: fc.nat(6),
      answer: fc.constantFrom("acknowledged", "acknowledged", "acknowledged", "lost", "refused"),
    })
    .map(
      ({ kind, value, isThere, saysFound, startedAt, durationMs, answer }): RegisterOperation => {
        const endedAt = answer === "lost" ? undefined : startedAt + durationMs;
        const common = { client: "c", key: "k", startedAt, endedAt, ok: answer === "acknowledged" };
        if (kind === "set") return { ...common, kind, value };
        if (kind === "get") return { ...common, kind, value: isThere ? value : undefined };
        return { ...common, kind: "delete", found: saysFound ? isThere : undefined };
      },
    );
  return fc.array(operation, { minLength: 1, maxLength: 7 });
}
