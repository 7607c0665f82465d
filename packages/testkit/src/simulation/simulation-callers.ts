import { isParsecError, type PeerInvalidationTarget } from "@parsec/core";
import type { LiveNode, SimulatedCluster } from "./cluster/simulated-cluster.ts";
import { outcomeOfError, outcomeOfValue } from "./cluster/simulated-value.ts";
import type { GetRecord, InvalidationRecord } from "./history/simulation-history.ts";

/** The callers of the simulated nodes: they get, abort and invalidate, and record the results. */
export interface SimulatedCallers {
  get(node: LiveNode, key: string, abortAfterMs?: number): void;
  getMany(node: LiveNode, keys: readonly string[]): void;
  peekEverywhere(keys: readonly string[]): void;
  invalidate(node: LiveNode, target: PeerInvalidationTarget): void;
}

/** Creates the callers of a cluster, which record into its history. */
export function createSimulatedCallers(cluster: SimulatedCluster): SimulatedCallers {
  const { recorder, clock, plan, history } = cluster;
  const { network, policy } = plan;
  const { maxDelayMs } = network;
  /** Whether every cancel arrives, so that no load continues without waiters. */
  const cancelsArrive =
    network.loseShare === 0 &&
    network.garbleShare === 0 &&
    network.duplicateShare === 0 &&
    policy.staleWhileRevalidateMs === 0;

  const begin = (node: LiveNode, key: string, how: "get" | "getMany"): GetRecord => {
    const id = history.gets.length;
    const record: GetRecord = { id, node: node.ref, key, begun: recorder.now(), how };
    history.gets.push(record);
    return record;
  };

  /** Records the fetches of a key that still run some time after its last waiter aborted (I4). */
  const watchAbandoned = (key: string, abortedStep: number): void => {
    if (!cancelsArrive || !cluster.undisturbed) return;
    const waiting = (): boolean =>
      history.gets.some(
        (get) =>
          get.key === key &&
          get.how !== "peek" &&
          (get.begun.step > abortedStep || (get.settled ?? get.aborted) === undefined),
      );
    if (waiting()) return;
    clock.schedule(2 * maxDelayMs + 1, () => {
      if (waiting() || !cluster.undisturbed) return;
      const forgotten = history.fetches.filter(
        (fetch) => fetch.key === key && (fetch.ended ?? fetch.signalled) === undefined,
      );
      history.abandonments.push({
        key,
        at: recorder.now(),
        forgotten: forgotten.map((fetch) => fetch.id),
      });
    });
  };

  return {
    get(node, key, abortAfterMs) {
      const record = begin(node, key, "get");
      const controller = abortAfterMs === undefined ? undefined : new AbortController();
      let cancelAbort = (): void => {};
      node.handle.get(key, controller?.signal).then(
        (value) => {
          cancelAbort();
          record.settled = recorder.now();
          record.outcome = outcomeOfValue(value);
        },
        (error: unknown) => {
          cancelAbort();
          record.settled = recorder.now();
          record.outcome = outcomeOfError(error);
        },
      );
      if (controller === undefined) return;
      const abort = (): void => {
        if (record.settled !== undefined) return;
        record.aborted = recorder.now();
        controller.abort();
        watchAbandoned(key, record.aborted.step);
      };
      if (abortAfterMs === 0) abort();
      else cancelAbort = clock.schedule(abortAfterMs as number, abort);
    },

    getMany(node, keys) {
      const records = keys.map((key) => begin(node, key, "getMany"));
      node.handle.getMany(keys).then(
        (values) => {
          const settled = recorder.now();
          for (const [index, record] of records.entries()) {
            record.settled = settled;
            record.outcome = outcomeOfValue(values[index]);
          }
        },
        () => {
          for (const record of records) record.unknown = true;
        },
      );
    },

    peekEverywhere(keys) {
      for (const node of cluster.live()) {
        for (const key of keys) {
          const value = node.handle.peek(key);
          if (value === undefined) continue;
          const at = recorder.now();
          history.gets.push({
            id: history.gets.length,
            node: node.ref,
            key,
            how: "peek",
            begun: at,
            settled: at,
            outcome: outcomeOfValue(value),
          });
        }
      }
    },

    invalidate(node, target) {
      const members = node.members;
      const record: InvalidationRecord = {
        id: history.invalidations.length,
        node: node.ref,
        target,
        versions: cluster.origin.versions(),
        begun: recorder.now(),
      };
      history.invalidations.push(record);
      const incarnations = new Map(cluster.live().map((each) => [each.id, each.ref]));
      const call =
        target.kind === "keys"
          ? node.handle.invalidate(target.keys[0] as string)
          : target.kind === "tag"
            ? node.handle.invalidateTag(target.tag)
            : node.handle.invalidateAll();
      call.then(
        (result) => {
          record.settled = recorder.now();
          record.failed = result.failed.map((failure) => failure.peerId);
          record.acknowledged = result.acknowledged.flatMap((id) => {
            const ref = cluster.liveById(id)?.ref;
            // A node that restarted meanwhile guarantees nothing.
            return ref !== undefined && ref === incarnations.get(id) ? [ref] : [];
          });
          const named = new Set([...result.acknowledged, ...record.failed]);
          record.unnamed = members.filter((id) => !named.has(id));
        },
        (error: unknown) => {
          record.settled = recorder.now();
          record.error = isParsecError(error) ? error.code : String(error);
        },
      );
    },
  };
}
