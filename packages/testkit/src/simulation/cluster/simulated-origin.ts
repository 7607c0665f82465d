import type { ManualClock } from "../../manual-clock.ts";
import type { FetchRecord } from "../history/simulation-history.ts";
import type { SimulationRecorder } from "../history/simulation-recorder.ts";
import type { SimulatedOriginPlan } from "../plan/simulation-plan.ts";
import type { SimulatedValue } from "./simulated-value.ts";

/** The system of record of a simulation: keys with versions, asked by unreliable fetches. */
export interface SimulatedOrigin {
  version(key: string): number;
  versions(): ReadonlyMap<string, number>;
  write(key: string): void;
  /** What a source's fetch does on `node`; may throw instead of returning a promise. */
  fetch(node: string, key: string, context: FetchContext): Promise<SimulatedValue | undefined>;
}

/** What core hands to a source's fetch. */
interface FetchContext {
  readonly signal: AbortSignal;
}

type Behaviour = "value" | "absent" | "fail" | "throw" | "nonsense" | "hang";

/** An origin whose every fetch draws its behaviour and duration from `random(key)`. */
export function createSimulatedOrigin(parts: {
  readonly plan: SimulatedOriginPlan;
  readonly clock: ManualClock;
  readonly recorder: SimulationRecorder;
  readonly random: (stream: string) => () => number;
}): SimulatedOrigin {
  const { plan, clock, recorder } = parts;
  const versions = new Map<string, number>();
  const versionOf = (key: string): number => versions.get(key) ?? 1;

  const draw = (random: () => number): Behaviour => {
    let left = random();
    const shares: readonly (readonly [Behaviour, number])[] = [
      ["fail", plan.failShare],
      ["throw", plan.throwShare],
      ["absent", plan.absentShare],
      ["nonsense", plan.nonsenseShare],
      ["hang", plan.hangShare],
    ];
    for (const [behaviour, share] of shares) {
      left -= share;
      if (left < 0) return behaviour;
    }
    return "value";
  };

  return {
    version: versionOf,
    versions: () => new Map(versions),
    write(key) {
      versions.set(key, versionOf(key) + 1);
    },
    fetch(node, key, context) {
      const random = parts.random(`origin ${key}`);
      const behaviour = draw(random);
      const durationMs = Math.floor(random() * (plan.maxDurationMs + 1));
      const deaf = random() < plan.deafShare;
      // Many sources do something else first and take the signal out of its context only then.
      const late = random() < 0.3;
      const padding = "x".repeat(Math.floor(random() * 120));
      const { fetches } = recorder.history;
      const begun = recorder.now();
      const record: FetchRecord = { id: fetches.length, node, key, begun, version: versionOf(key) };
      fetches.push(record);

      const end = (outcome: NonNullable<FetchRecord["outcome"]>): void => {
        record.ended = recorder.now();
        record.outcome = outcome;
      };
      // The text names the fetch, so that the model knows which failure a caller was told.
      const failure = (): Error => new Error(`fetch ${record.id} failed`);
      if (behaviour === "throw") {
        end("failed");
        throw failure();
      }
      return new Promise((resolve, reject) => {
        const finish = (): void => {
          if (behaviour === "fail") {
            end("failed");
            reject(failure());
          } else if (behaviour === "nonsense") {
            end("nonsense");
            // Neither bytes nor text, and nothing that JSON can carry.
            resolve(42n as unknown as SimulatedValue);
          } else if (behaviour === "absent") {
            end("absent");
            resolve(undefined);
          } else {
            end("value");
            resolve({ key, fetch: record.id, version: record.version, padding });
          }
        };
        const cancel = behaviour === "hang" ? () => {} : clock.schedule(durationMs, finish);
        const hear = (): void => {
          if (record.ended !== undefined) return;
          record.signalled = recorder.now();
          if (deaf) return;
          cancel();
          end("failed");
          reject(failure());
        };
        const listen = (): void => {
          if (context.signal.aborted) hear();
          else context.signal.addEventListener("abort", hear, { once: true });
        };
        if (late) queueMicrotask(listen);
        else listen();
      });
    },
  };
}
