import type { Ring, RingState } from "@parsec/ring";

/** Whether a node is ready, and why not. Shown as JSON. */
export interface Readiness {
  readonly isReady: boolean;
  /** One word for programs: `ok`, `starting`, `leaving`, `closed`, `no-lease`, `damaged`, `copies-missing`. */
  readonly status: string;
  /** A sentence for people; absent while the node is ready. */
  readonly reason?: string;
}

/** The two questions of an orchestrator. */
export interface ReadinessCheck {
  /**
   * Whether the node can serve. A node that starts cannot until all copies have been complete once, so that the next
   * one is not ended before. Later, missing copies do not matter: those that remain go on serving.
   */
  serving(): Readiness;
  /** Whether any node may be ended now without loss: the node can serve, and all copies are complete. */
  complete(): Readiness;
  /** Stops watching. */
  close(): Promise<void>;
}

const pollMs = 100;

/** Watches the ring from the start of a node on. */
export function watchReadiness(ring: Ring): ReadinessCheck {
  let wasComplete = false;
  const complete = (): Readiness => {
    const state = ring.state();
    const found = inService(state) ?? damaged(state) ?? incomplete(state) ?? ready;
    if (found.isReady) wasComplete = true;
    return found;
  };
  const timer = setInterval(() => {
    if (complete().isReady) clearInterval(timer);
  }, pollMs);
  timer.unref();
  return {
    serving: () => (wasComplete ? (inService(ring.state()) ?? ready) : complete()),
    complete,
    close: async () => clearInterval(timer),
  };
}

const ready: Readiness = { isReady: true, status: "ok" };

function inService({ status, leaseValid, lastError }: RingState): Readiness | undefined {
  if (status !== "active") {
    const why = status === "starting" ? `the node joins the ring${cause(lastError)}` : "it leaves";
    return { isReady: false, status, reason: why };
  }
  if (leaseValid) return undefined;
  const reason = `the node has no lease, and serves nothing${cause(lastError)}`;
  return { isReady: false, status: "no-lease", reason };
}

function damaged({ notServing }: RingState): Readiness | undefined {
  const stuck = notServing.filter((part) => part.stuck !== undefined);
  if (stuck.length === 0) return undefined;
  const numbers = stuck.map(({ partition }) => partition).join(", ");
  const reason = `partitions ${numbers} are not served: ${stuck[0]?.stuck}`;
  return { isReady: false, status: "damaged", reason };
}

function incomplete({ incomplete: count, notServing }: RingState): Readiness | undefined {
  const parts = Math.max(count, notServing.filter(({ phase }) => phase !== "sealed").length);
  if (parts === 0) return undefined;
  const reason = `${parts} ${parts === 1 ? "partition lacks" : "partitions lack"} a copy or an owner`;
  return { isReady: false, status: "copies-missing", reason };
}

function cause(lastError: string | undefined): string {
  return lastError === undefined ? "" : `: ${lastError}`;
}
