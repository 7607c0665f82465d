import { type ClientDuplexStream, type ClientUnaryCall, Metadata } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import { abortedError } from "@parsec/core/authoring";
import { createRequestSigner } from "@parsec/core/transport";
import { answerMacKey, authorizationKey, SignedCall } from "../grpc-auth.ts";
import { errorFromCall, unreachable, wasConnectionLost } from "../grpc-errors.ts";
import type { ResolvedGrpcOptions } from "../grpc-options.ts";
import { StreamSeal } from "../grpc-seal.ts";
import { type BytesMethod, firstText, messageMethods } from "../grpc-wire.ts";
import { GrpcConnection } from "./grpc-connection.ts";

/** Maximum number of pending unary calls to one peer. */
const maxUnaryCalls = 1024;

/** A stream for lookups, with the seal of its messages when there is a secret. */
export interface ExchangeCall {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly seal: StreamSeal | undefined;
  /** Cancels the stream and closes its connection. */
  discard(): void;
}

/** A unary call to a peer. */
export interface UnaryRequest {
  readonly method: BytesMethod;
  readonly message: Buffer;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Makes the call on a connection of its own: an idle one may be dead without an error. */
  readonly isPing?: true;
}

interface Settle {
  readonly resolve: (answer: Buffer) => void;
  readonly reject: (error: ParsecError) => void;
}

/**
 * The connections to one peer: one for the stream of lookups, and one for pings and invalidations,
 * which must not queue behind it. After a failure, the next call opens a new connection: `PeerHealth`
 * does the backoff, and gRPC's own would only add to it.
 */
export class GrpcConnections {
  readonly #peerId: string;
  readonly #options: ResolvedGrpcOptions;
  readonly #sign: (path: string, message?: Buffer) => SignedCall | undefined;
  readonly #unaryCalls: Set<() => void> = new Set();
  #control: GrpcConnection | undefined = undefined;
  #closed = false;

  constructor(peerId: string, options: ResolvedGrpcOptions) {
    this.#peerId = peerId;
    this.#options = options;
    const [secret] = options.secrets;
    if (secret === undefined) this.#sign = () => undefined;
    else {
      const sign = createRequestSigner({ secret, receiver: peerId, wallNow: Date.now });
      this.#sign = (path, message) => new SignedCall(sign(path, message));
    }
  }

  /** Opens a stream on a separate connection. */
  openExchange(): ExchangeCall {
    const connection = new GrpcConnection(this.#peerId, this.#options);
    const { path, requestSerialize, responseDeserialize } = messageMethods.exchange;
    const signed = this.#sign(path);
    const call = connection.client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadataOf(signed),
    );
    return {
      call,
      seal: signed && new StreamSeal(signed, "client"),
      discard() {
        call.cancel();
        connection.discard();
      },
    };
  }

  /**
   * Makes a unary call. Rejects with `PEER_UNREACHABLE`, `TIMEOUT`, `ABORTED`, `OVERLOADED` or
   * `CLOSED`.
   */
  unary(request: UnaryRequest): Promise<Buffer> {
    if (this.#closed) return Promise.reject(this.#closedError());
    if (this.#unaryCalls.size >= maxUnaryCalls) {
      const message = `${this.#peerId} has ${maxUnaryCalls} pending pings and invalidations`;
      return Promise.reject(new ParsecError("OVERLOADED", message));
    }
    if (request.signal?.aborted) return Promise.reject(abortedError(request.signal));
    return new Promise((resolve, reject) => {
      const settle = { resolve, reject };
      if (request.isPing === true) {
        this.#start(request, {
          settle,
          connection: new GrpcConnection(this.#peerId, this.#options),
        });
      } else {
        this.#control ??= new GrpcConnection(this.#peerId, this.#options);
        this.#start(request, { settle, connection: this.#control });
      }
    });
  }

  #start(
    request: UnaryRequest,
    { settle, connection }: { readonly settle: Settle; readonly connection: GrpcConnection },
  ): void {
    const { method, message, timeoutMs, signal } = request;
    const signed = this.#sign(method.path, message);
    let answerMac: string | undefined;
    const end = (outcome: Buffer | ParsecError): void => {
      if (!this.#unaryCalls.delete(close)) return;
      cancelTimer();
      signal?.removeEventListener("abort", abort);
      connection.ended();
      if (request.isPing === true) connection.discard();
      if (outcome instanceof ParsecError) settle.reject(outcome);
      else settle.resolve(outcome);
    };
    const cancel = (error: ParsecError): void => {
      end(error);
      call.cancel();
    };
    const close = (): void => cancel(this.#closedError());
    const abort = (): void => cancel(abortedError(signal));
    const cancelTimer = this.#options.clock.schedule(timeoutMs, () => {
      // Not connected within the timeout: the next call opens a new connection.
      if (!connection.isReady) this.#discard(connection);
      cancel(
        new ParsecError(
          "TIMEOUT",
          `${this.#peerId} did not answer within ${Math.round(timeoutMs)} ms`,
        ),
      );
    });
    this.#unaryCalls.add(close);
    signal?.addEventListener("abort", abort, { once: true });
    connection.begun();
    const call: ClientUnaryCall = connection.client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      message,
      metadataOf(signed),
      // The deadline is for the owner; this side uses the timer above.
      { deadline: Date.now() + timeoutMs },
      (error, answer) => {
        // Cancelled by this side, which does not mean that the connection is lost.
        if (!this.#unaryCalls.has(close)) return;
        if (error !== null) {
          // gRPC's own deadline may end the call before the timer above does.
          if (wasConnectionLost(error) || !connection.isReady) this.#discard(connection);
          end(errorFromCall(this.#peerId, error));
        } else if (answer === undefined || signed?.verifyAnswer(answerMac, answer) === false) {
          end(unreachable(this.#peerId, "response signature is invalid"));
        } else end(answer);
      },
    );
    call.on("metadata", (metadata) => {
      answerMac = firstText(metadata, answerMacKey);
    });
  }

  /** Makes the next call open a new connection. Pending calls keep theirs until they end. */
  renew(): void {
    if (this.#control !== undefined) this.#discard(this.#control);
  }

  /** Rejects pending calls and closes the connections, except those of open streams. */
  close(): void {
    this.#closed = true;
    for (const close of [...this.#unaryCalls]) close();
    this.renew();
  }

  #closedError(): ParsecError {
    return new ParsecError("CLOSED", `the connection to ${this.#peerId} was closed`);
  }

  #discard(connection: GrpcConnection): void {
    if (this.#control === connection) this.#control = undefined;
    connection.discard();
  }
}

function metadataOf(signed: SignedCall | undefined): Metadata {
  const metadata = new Metadata();
  if (signed !== undefined) metadata.set(authorizationKey, signed.authorization);
  return metadata;
}
