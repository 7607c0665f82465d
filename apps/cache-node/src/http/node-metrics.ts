import type { Ring } from "@parsec/ring";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { CacheData } from "../cache/cache-data.ts";
import type { RingCache } from "../cache/ring-cache.ts";
import type { PersistentState } from "../persist/persistent-state.ts";
import { presentMembers } from "./node-stats.ts";

/** The metrics of a node. */
export interface NodeMetrics {
  readonly contentType: string;
  /** The text for `/metrics`. */
  render(): Promise<string>;
  /** The cache, with its requests counted and timed. */
  measure(cache: RingCache): RingCache;
}

/** Sources of the metrics. */
export interface MeasuredParts {
  readonly ring: Ring;
  readonly data: CacheData;
  readonly persistent: PersistentState | undefined;
}

/** Buckets from half a millisecond to eight seconds. */
const buckets = Array.from({ length: 15 }, (_, power) => 0.0005 * 2 ** power);

/** Creates a registry with the metrics of cache, ring and process; `gc_` names are those of go-cluster. */
export function createNodeMetrics(parts: MeasuredParts): NodeMetrics {
  const { ring, data, persistent } = parts;
  const register = new Registry();
  register.setDefaultLabels({ platform: ring.state().platform, node: ring.nodeId });
  collectDefaultMetrics({ register });
  addRingMetrics(register, ring);
  addCacheMetrics(register, data);
  if (persistent !== undefined) addDiskMetrics(register, persistent);
  const operations = new Counter({
    name: "cache_operations_total",
    help: "Requests received by this node, by operation and outcome",
    labelNames: ["operation", "outcome"],
    registers: [register],
  });
  const durations = new Histogram({
    name: "gc_rpc_duration_seconds",
    help: "Time until the owner of the key answered, on this node or another",
    labelNames: ["method"],
    buckets,
    registers: [register],
  });

  const measured = async <Result>(
    method: "set" | "get" | "delete",
    call: () => Promise<Result>,
    outcomeOf: (result: Result) => string,
  ): Promise<Result> => {
    const end = durations.startTimer({ method });
    let outcome = "error";
    try {
      const result = await call();
      outcome = outcomeOf(result);
      return result;
    } finally {
      end();
      operations.inc({ operation: method, outcome });
    }
  };
  return {
    contentType: register.contentType,
    render: () => register.metrics(),
    measure: (cache) => ({
      set: (key, value, options) =>
        measured(
          "set",
          () => cache.set(key, value, options),
          () => "stored",
        ),
      get: (key, options) =>
        measured(
          "get",
          () => cache.get(key, options),
          ({ value }) => (value === undefined ? "miss" : "hit"),
        ),
      delete: (key, options) =>
        measured(
          "delete",
          () => cache.delete(key, options),
          ({ deleted }) => (deleted ? "deleted" : "miss"),
        ),
    }),
  };
}

function addRingMetrics(register: Registry, ring: Ring): void {
  const registers = [register];
  const gauge = (name: string, help: string, read: () => number): void => {
    const metric: Gauge = new Gauge({ name, help, registers, collect: () => metric.set(read()) });
  };
  gauge("gc_ring_partitions_owned", "Partitions that this node serves", () => {
    return ring.state().owned.length;
  });
  gauge("gc_ring_nodes_total", "Nodes of the ring", () => presentMembers(ring.state()).length);
  gauge("cache_ring_lease_valid", "Whether this node may serve", () => {
    return ring.state().leaseValid ? 1 : 0;
  });
  gauge(
    "cache_ring_epoch",
    "Epoch of the ring's table as this node sees it",
    () => ring.state().epoch,
  );
  gauge(
    "cache_ring_underreplicated_partitions",
    "Partitions with fewer copies than configured",
    () => {
      return ring.state().underReplicated;
    },
  );
  const events = new Counter({
    name: "gc_ring_rebalance_events_total",
    help: "Events of the ring on this node, by type: partitions owned and released, lost leases, dropped backups",
    labelNames: ["type"],
    registers,
  });
  const lost = new Counter({
    name: "cache_ring_lost_partitions_total",
    help: "Partitions that this node took over after all copies were lost",
    registers,
  });
  for (const type of ["owned", "released", "fenced", "rejoining", "backup-dropped"]) {
    events.inc({ type }, 0);
  }
  ring.subscribe((event) => {
    const { type } = event;
    if (type === "owned" && event.lost) lost.inc();
    if (type === "table" || type === "unfenced" || type === "hook-failed" || type === "warning") {
      return;
    }
    events.inc({ type });
  });
}

function addCacheMetrics(register: Registry, data: CacheData): void {
  const registers = [register];
  const entries = new Gauge({
    name: "cache_entries",
    help: "Entries in memory, by role: owner or copy for another node",
    labelNames: ["role"],
    registers,
    collect() {
      const counts = data.counts();
      entries.set({ role: "owner" }, counts.entries);
      entries.set({ role: "backup" }, counts.backupEntries);
    },
  });
  const withTtl: Gauge = new Gauge({
    name: "cache_entries_with_ttl",
    help: "Entries with an expiry that this node owns",
    registers,
    collect: () => withTtl.set(data.counts().entriesWithTtl),
  });
  const size: Gauge = new Gauge({
    name: "cache_size_bytes",
    help: "Bytes of keys and values in memory, in UTF-8",
    registers,
    collect: () => size.set(data.counts().sizeBytes),
  });
  const held: Gauge = new Gauge({
    name: "cache_held_bytes",
    help: "Bytes that count against --max-mib: keys and values as V8 stores them, and 200 bytes for each entry",
    registers,
    collect: () => held.set(data.heldBytes),
  });
  addCounter(register, {
    name: "cache_expired_total",
    help: "Entries that expired while this node owned them",
    read: () => data.counts().expired,
  });
  addCounter(register, {
    name: "cache_released_total",
    help: "Entries dropped because other nodes hold their partition",
    read: () => data.counts().released,
  });
}

function addDiskMetrics(register: Registry, persistent: PersistentState): void {
  addCounter(register, {
    name: "cache_disk_failures_total",
    help: "Failed writes to the disk",
    read: () => persistent.counts().failures,
  });
  addCounter(register, {
    name: "cache_disk_rewrites_total",
    help: "Snapshots written to shorten a log, or to repair missing data",
    read: () => persistent.counts().rewrites,
  });
  const damaged: Gauge = new Gauge({
    name: "cache_disk_damaged_partitions",
    help: "Partitions whose data on disk was found damaged, and has not been replaced by a sound copy yet",
    registers: [register],
    collect: () => damaged.set(persistent.damaged.length),
  });
  const logBytes: Gauge = new Gauge({
    name: "cache_disk_log_bytes",
    help: "Bytes of all logs",
    registers: [register],
    collect: () => logBytes.set(persistent.counts().logBytes),
  });
}

/** A counter whose value is kept elsewhere. */
function addCounter(
  register: Registry,
  options: { readonly name: string; readonly help: string; readonly read: () => number },
): void {
  const { name, help, read } = options;
  const metric: Counter = new Counter({
    name,
    help,
    registers: [register],
    collect() {
      metric.reset();
      metric.inc(read());
    },
  });
}
