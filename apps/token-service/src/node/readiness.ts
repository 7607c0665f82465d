import { setTimeout as wait } from "node:timers/promises";

/** A dependency that must be available before a node serves. */
export interface Prerequisite {
  readonly name: string;
  /** Whether it is available; a rejection counts as false, and its message says why. */
  check(): Promise<boolean> | boolean;
}

/** The readiness of a node: `starting`, `ready`, or `draining` during a stop. */
export interface ReadinessReport {
  readonly status: "ready" | "starting" | "draining";
  /** Names of the dependencies that have not been available yet. */
  readonly waitingFor: readonly string[];
  /** Why they are not available, by name, where that is known. */
  readonly reasons: Readonly<Record<string, string>>;
}

/** Tells load balancers whether a node should get requests. */
export interface Readiness {
  report(): ReadinessReport;
  /** Resolves when each dependency has been available once; rejects when closed first. */
  whenReady(): Promise<void>;
  startDraining(): void;
  close(): void;
}

/**
 * Checks each dependency until it has been available once. Later outages are ignored: without its
 * database a node still answers from its cache, and if all nodes left the load balancer at once, a
 * partial outage would become a complete one.
 */
export function watchReadiness(
  prerequisites: readonly Prerequisite[],
  options: {
    readonly retryMs: number;
    /** Called with the reason of a failed check, and again when it changes; for logs. */
    readonly onWaiting?: (name: string, reason: string) => void;
  },
): Readiness {
  const missing = new Set(prerequisites.map(({ name }) => name));
  const reasons = new Map<string, string>();
  const closing = new AbortController();
  let isDraining = false;

  const watch = async ({ name, check }: Prerequisite): Promise<void> => {
    for (;;) {
      closing.signal.throwIfAborted();
      try {
        if (await check()) break;
      } catch (failure) {
        const reason = failure instanceof Error ? failure.message : String(failure);
        if (reasons.get(name) !== reason && !closing.signal.aborted) {
          reasons.set(name, reason);
          options.onWaiting?.(name, reason);
        }
      }
      await wait(options.retryMs, undefined, { signal: closing.signal });
    }
    missing.delete(name);
    reasons.delete(name);
  };
  const all = Promise.all(prerequisites.map(watch)).then(() => {});
  all.catch(() => {});

  return {
    report() {
      const waiting = { waitingFor: [...missing], reasons: Object.fromEntries(reasons) };
      if (isDraining) return { status: "draining", ...waiting };
      return { status: missing.size === 0 ? "ready" : "starting", ...waiting };
    },
    whenReady: () => all,
    startDraining() {
      isDraining = true;
    },
    close: () => closing.abort(),
  };
}
