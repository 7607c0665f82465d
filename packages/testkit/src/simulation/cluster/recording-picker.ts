import {
  isParsecError,
  type Peer,
  type PeerAnswer,
  type PeerHandOver,
  type PeerHost,
  type PeerLookup,
  type PeerPicker,
} from "@parsec/core";
import { createWrappedPicker } from "../../wrapped-picker.ts";
import type { LookRecord, QuestionRecord, ServedRecord } from "../history/simulation-history.ts";
import type { SimulationRecorder } from "../history/simulation-recorder.ts";
import { outcomeOfError, outcomeOfValue } from "./simulated-value.ts";

/** Wraps a node's picker and records all calls that it sends or receives. */
export function createRecordingPicker(
  picker: PeerPicker,
  parts: { readonly node: string; readonly recorder: SimulationRecorder },
): PeerPicker {
  const { node, recorder } = parts;
  const { history } = recorder;
  /** Time in ms at which this node received each ticket. */
  const ticketsAt = new Map<number, number>();

  const recordLook = (peer: Peer, lookup: PeerLookup): Promise<PeerAnswer> => {
    const record: LookRecord = { node, key: lookup.key, begun: recorder.now() };
    history.looks.push(record);
    const answer = peer.lookup(lookup);
    answer.then(
      ({ value, missing }) => {
        record.settled = recorder.now();
        if (missing !== true) record.outcome = outcomeOfValue(value);
      },
      () => {
        record.settled = recorder.now();
      },
    );
    return answer;
  };

  const recordHandOver = (peer: Peer, { ticket, entries }: PeerHandOver): void => {
    const at = recorder.now();
    for (const { key, value, ttlMs } of entries) {
      const endMs = (ticketsAt.get(ticket) ?? 0) + ttlMs;
      const outcome = outcomeOfValue(value);
      history.given.push({ node, to: peer.id, key, at, outcome, endMs });
    }
  };

  const recordingPeer = (peer: Peer): Peer => ({
    id: peer.id,
    lookup(lookup, options) {
      if (lookup.memoryOnly === true) return recordLook(peer, lookup);
      const { key } = lookup;
      const onBehalfOf = recorder.openGets(key, node);
      const record: QuestionRecord = { node, key, begun: recorder.now(), onBehalfOf };
      history.questions.push(record);
      const answer = peer.lookup(lookup, options);
      answer.then(
        () => {
          record.settled = recorder.now();
        },
        (error: unknown) => {
          record.settled = recorder.now();
          record.code = isParsecError(error) ? error.code : "FOREIGN";
        },
      );
      return answer;
    },
    invalidate: (invalidation, options) => peer.invalidate(invalidation, options),
    async handOver(part, options) {
      recordHandOver(peer, part);
      const ticket = (await peer.handOver?.(part, options)) ?? 0;
      ticketsAt.set(ticket, recorder.now().atMs);
      return ticket;
    },
  });

  const recordingHost = (host: PeerHost): PeerHost => ({
    lookup(lookup, options) {
      const isLook = lookup.memoryOnly === true;
      const record: ServedRecord = { node, key: lookup.key, begun: recorder.now(), isLook };
      history.served.push(record);
      const succeed = (answer: PeerAnswer): PeerAnswer => {
        record.settled = recorder.now();
        if (answer.missing !== true) record.outcome = outcomeOfValue(answer.value);
        record.ttlMs = answer.ttlMs;
        return answer;
      };
      const fail = (error: unknown): never => {
        record.settled = recorder.now();
        record.outcome = outcomeOfError(error);
        throw error;
      };
      try {
        const answer = host.lookup(lookup, options);
        return answer instanceof Promise ? answer.then(succeed, fail) : succeed(answer);
      } catch (error) {
        return fail(error);
      }
    },
    invalidate(invalidation) {
      host.invalidate(invalidation);
      history.applied.push({ node, target: invalidation.target, at: recorder.now() });
    },
    takeOver: (part) => host.takeOver?.(part) ?? 0,
    rejoined: () => host.rejoined?.(),
  });

  return {
    ...createWrappedPicker(picker, recordingPeer),
    attach: (host) => picker.attach(recordingHost(host)),
    warn() {
      history.debtsLost = true;
    },
  };
}
