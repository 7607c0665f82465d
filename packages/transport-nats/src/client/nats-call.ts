import type { Clock } from "@parsec/core";
import { abortedError } from "@parsec/core/authoring";
import { collectAnswer } from "@parsec/core/transport";
import { unreachable } from "../nats-errors.ts";
import type { MessageSender } from "../nats-sender.ts";
import type { MessageKind } from "../nats-wire.ts";
import type { NatsInbox } from "./nats-inbox.ts";

/** The longest answer that is collected; invalidations and pings have shorter ones. */
const maxAnswerBytes = 64 * 1024;

export interface CallOptions {
  readonly kind: Extract<MessageKind, "ask" | "ping">;
  readonly body: Uint8Array;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface CallWay {
  readonly peerId: string;
  readonly subject: string;
  readonly inbox: NatsInbox;
  readonly sender: MessageSender;
  readonly clock: Clock;
}

/** Sends a short request to a peer and collects the whole answer. Rejects with `PEER_UNREACHABLE`, `TIMEOUT`, `ABORTED` or `OVERLOADED`. */
export async function callPeer(way: CallWay, options: CallOptions): Promise<Buffer> {
  const { peerId, subject, inbox, sender, clock } = way;
  const { kind, body, timeoutMs, signal } = options;
  if (signal?.aborted) throw abortedError(signal);
  const answer = collectAnswer({ peerId, clock, timeoutMs, maxAnswerBytes, signal });
  const open = inbox.open({
    peerId,
    remembered: kind === "ask",
    received(message) {
      answer.receive(message.body);
      if (message.last) answer.finish();
    },
    failed: (error) => answer.fail(error),
  });
  const to = { subject, peerId, reply: open.reply };
  try {
    if (kind === "ask") sender.ask(body, to);
    else sender.sendWhole(kind, body, to);
  } catch (error) {
    answer.fail(unreachable(peerId, error));
  }
  try {
    return await answer.whole;
  } finally {
    inbox.close(open);
  }
}
