import type { NatsConnection } from "@nats-io/transport-node";
import { ParsecError } from "@parsec/core";
import type { NatsUplink } from "@parsec/nats";
import type { Addressed, MessageSigner } from "./nats-auth.ts";
import { notConnected } from "./nats-errors.ts";
import {
  bodyOffset,
  type MessageHead,
  type MessageKind,
  MessageWriter,
  totalBytes,
} from "./nats-wire.ts";

/** The least room of a message for a body. */
const smallestRoom = 256;

export interface Destination extends Partial<Addressed> {
  readonly subject: string;
  /** The peer that errors name. */
  readonly peerId: string;
}

/** Encodes and signs messages, and keeps each within the server's limit. */
export class MessageSender {
  readonly #uplink: NatsUplink;
  readonly #signer: MessageSigner | undefined;
  readonly #writer: MessageWriter;
  readonly #bodyOffset: number;

  constructor(options: {
    readonly uplink: NatsUplink;
    readonly session: number;
    readonly signer: MessageSigner | undefined;
  }) {
    this.#uplink = options.uplink;
    this.#signer = options.signer;
    const signed = options.signer !== undefined;
    this.#writer = new MessageWriter({ session: options.session, signed });
    this.#bodyOffset = bodyOffset(signed);
  }

  /** Bytes that fit into one message beside its head; negative while disconnected. */
  get room(): number {
    return (this.#uplink.client?.info?.max_payload ?? 0) - this.#bodyOffset;
  }

  /** The same. Throws `PEER_UNREACHABLE` while disconnected, or when it is too little to send anything in. */
  roomFor(to: { readonly peerId: string }): number {
    this.#clientFor(to);
    const { room } = this;
    if (room >= smallestRoom) return room;
    const message = `${to.peerId} cannot be asked: max_payload of the NATS server leaves ${Math.max(room, 0)} bytes for a message`;
    throw new ParsecError("PEER_UNREACHABLE", message);
  }

  /** Sends one message. Throws `PEER_UNREACHABLE` while disconnected. */
  send(head: MessageHead, body: Uint8Array, to: Destination): void {
    const bytes = this.#writer.begin(head, body.length);
    bytes.set(body, this.#bodyOffset);
    this.#signer?.sign(bytes, { subject: to.subject, reply: to.reply ?? "" });
    const client = this.#clientFor(to);
    if (to.reply === undefined) client.publish(to.subject, bytes);
    else client.publish(to.subject, bytes, { reply: to.reply });
  }

  /** Sends a body that fits into one message. */
  sendWhole(kind: MessageKind, body: Uint8Array, to: Destination): void {
    this.send({ kind, piece: 0, last: true }, body, to);
  }

  /** Sends a request frame, in pieces when the server's limit demands it. */
  ask(frame: Uint8Array, to: Destination): void {
    const room = this.roomFor(to);
    if (frame.length <= room) {
      this.sendWhole("ask", frame, to);
      return;
    }
    const first = Buffer.allocUnsafe(room);
    first.writeUInt32LE(frame.length, 0);
    let sent = room - totalBytes;
    first.set(frame.subarray(0, sent), totalBytes);
    this.send({ kind: "ask", piece: 0, last: false }, first, to);
    for (let piece = 1; sent < frame.length; piece++) {
      const part = frame.subarray(sent, sent + room);
      sent += part.length;
      this.send({ kind: "ask", piece, last: sent === frame.length }, part, to);
    }
  }

  #clientFor({ peerId }: { readonly peerId: string }): NatsConnection {
    const { client, lastError } = this.#uplink;
    if (client === undefined) throw notConnected(peerId, lastError);
    return client;
  }
}
