import type { ManualClock } from "../../manual-clock.ts";
import type { FetchRecord } from "../history/simulation-history.ts";
import type { SimulationRecorder } from "../history/simulation-recorder.ts";
import type { SimulatedOriginPlan } from "../plan/simulation-plan.ts";
import type { SimulatedValue } from "./simulated-value.ts";

/** The system of record of a simulation: keys with versions, and unreliable fetches. */
export interface SimulatedOrigin {
  version(key: string): number;
  versions(): ReadonlyMap<string, number>;
  write(key: string): void;
  /** Runs the fetch of a source on `node`. Throws or returns a promise. */
  fetch(node: string, key: string, context: FetchContext): Promise<SimulatedValue | undefined>;
}

/** The part of a fetch's context that the origin uses. */
interface FetchContext {
  readonly signal: AbortSignal;
}

type Behaviour = "value" | "absent" | "fail" | "throw" | "nonsense" | "hang";

/** Creates an origin that draws the behaviour and duration of each fetch from a random stream per key. */
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
      // Some sources read the signal of the context only after an asynchronous step.
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
      // The message contains the fetch, so that the check can match failures with callers.
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
            // Neither bytes nor text, and not serializable as JSON.
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
        const onAbort = (): void => {
          if (record.ended !== undefined) return;
          record.signalled = recorder.now();
          if (deaf) return;
          cancel();
          end("failed");
          reject(failure());
        };
        const listen = (): void => {
          if (context.signal.aborted) onAbort();
          else context.signal.addEventListener("abort", onAbort, { once: true });
        };
        if (late) queueMicrotask(listen);
        else listen();
      });
    },
  };
}
