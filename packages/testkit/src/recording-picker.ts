import {
  isParsecError,
  type Peer,
  type PeerAnswer,
  type PeerHost,
  type PeerPicker,
} from "@parsec/core";
import { outcomeOfError, outcomeOfValue } from "./simulated-value.ts";
import type { QuestionRecord, ServedRecord } from "./simulation-history.ts";
import type { SimulationRecorder } from "./simulation-recorder.ts";

/** Wraps a node's picker so that every lookup and invalidation, sent or received, is written down. */
export function createRecordingPicker(
  picker: PeerPicker,
  parts: { readonly node: string; readonly recorder: SimulationRecorder },
): PeerPicker {
  const { node, recorder } = parts;
  const { history } = recorder;

  const recordingPeer = (peer: Peer): Peer => ({
    id: peer.id,
    lookup(lookup, options) {
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
  });

  const recordingHost = (host: PeerHost): PeerHost => ({
    lookup(lookup, options) {
      const record: ServedRecord = { node, key: lookup.key, begun: recorder.now() };
      history.served.push(record);
      const succeed = (answer: PeerAnswer): PeerAnswer => {
        record.settled = recorder.now();
        record.outcome = outcomeOfValue(answer.value);
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
  });

  const wrapped = new WeakMap<Peer, Peer>();
  const wrap = (peer: Peer): Peer => {
    let recording = wrapped.get(peer);
    if (recording === undefined) {
      recording = recordingPeer(peer);
      wrapped.set(peer, recording);
    }
    return recording;
  };

  return {
    selfId: picker.selfId,
    peers: () => picker.peers().map(wrap),
    pick(key) {
      const owner = picker.pick(key);
      return owner && wrap(owner);
    },
    updatePeers: (ids) => picker.updatePeers(ids),
    attach: (host) => picker.attach(recordingHost(host)),
    close: () => picker.close(),
  };
}
