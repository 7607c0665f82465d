import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientUnaryCall,
  Metadata,
} from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import { answerMacKey, authorizationKey, CallSigner, type SignedCall, toKey } from "./grpc-auth.ts";
import { channelCredentials } from "./grpc-credentials.ts";
import { errorFromCall, unreachable, wasConnectionLost } from "./grpc-errors.ts";
import { firstText } from "./grpc-metadata.ts";
import type { ResolvedGrpcOptions } from "./grpc-options.ts";
import { StreamSeal, sealBytes } from "./grpc-seal.ts";
import { addressOf, hostAndPort } from "./grpc-urls.ts";
import {
  answerHeadBytes,
  type BytesMethod,
  maxAnswerMessageBytes,
  messageMethods,
} from "./grpc-wire.ts";

/** Unary calls to one peer that may be under way at once. */
const maxUnaryCalls = 1024;
/** How much a peer may send ahead of what is read. HTTP/2's own 64 KiB would stop it within one frame. */
const flowControlBytes = 1024 * 1024;

/** A stream for lookups, and what proves its messages if there is a secret. */
export interface ExchangeCall {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly seal: StreamSeal | undefined;
  /** Ends the stream, and frees its connection. */
  discard(): void;
}

export interface UnaryRequest {
  readonly method: BytesMethod;
  readonly message: Buffer;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The connections to one peer: one for the stream of lookups, and one for signs of life and
 * invalidations, which must not queue behind it. A connection that broke is made anew by the next
 * call, without a backoff of gRPC's own: `PeerHealth` says when a peer is asked.
 */
export class GrpcConnections {
  readonly #peerId: string;
  readonly #options: ResolvedGrpcOptions;
  readonly #signer: CallSigner | undefined;
  readonly #unaryCalls: Set<() => void> = new Set();
  #control: Client | undefined = undefined;
  #closed = false;

  constructor(peerId: string, options: ResolvedGrpcOptions) {
    this.#peerId = peerId;
    this.#options = options;
    const [secret] = options.secrets;
    this.#signer =
      secret === undefined
        ? undefined
        : new CallSigner({ key: toKey(secret), receiver: peerId, wallNow: Date.now });
  }

  /** Opens a stream on a connection of its own. */
  openExchange(): ExchangeCall {
    const client = this.#createClient();
    const { path, requestSerialize, responseDeserialize } = messageMethods.exchange;
    const signed = this.#signer?.sign(path);
    const call = client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      metadataOf(signed),
    );
    return {
      call,
      seal: signed && new StreamSeal(signed, "asker"),
      discard() {
        call.cancel();
        client.close();
      },
    };
  }

  /**
   * Calls and waits for the answer. Rejects with `PEER_UNREACHABLE`, `TIMEOUT`, `ABORTED`,
   * `OVERLOADED` or `CLOSED`.
   */
  unary(request: UnaryRequest): Promise<Buffer> {
    if (this.#closed) return Promise.reject(this.#closedError());
    if (this.#unaryCalls.size >= maxUnaryCalls) {
      const message = `${maxUnaryCalls} calls to ${this.#peerId} are under way`;
      return Promise.reject(new ParsecError("OVERLOADED", message));
    }
    if (request.signal?.aborted) return Promise.reject(abortedBy(request.signal));
    return new Promise((resolve, reject) => this.#start(request, { resolve, reject }));
  }

  #start(
    request: UnaryRequest,
    settle: {
      readonly resolve: (answer: Buffer) => void;
      readonly reject: (error: ParsecError) => void;
    },
  ): void {
    const { method, message, timeoutMs, signal } = request;
    this.#control ??= this.#createClient();
    const client = this.#control;
    const signed = this.#signer?.sign(method.path, message);
    let answerMac: string | undefined;
    const end = (error: ParsecError | undefined, answer?: Buffer): void => {
      if (!this.#unaryCalls.delete(cancel)) return;
      cancelTimer();
      signal?.removeEventListener("abort", abort);
      if (answer === undefined) settle.reject(error ?? unreachable(this.#peerId, "no answer"));
      else settle.resolve(answer);
    };
    const call: ClientUnaryCall = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      message,
      metadataOf(signed),
      // The owner learns when to give up; the clock here decides for this side.
      { deadline: Date.now() + timeoutMs },
      (error, answer) => {
        if (error !== null) {
          if (wasConnectionLost(error)) this.#discard(client);
          end(errorFromCall(this.#peerId, error));
        } else if (signed?.provesAnswer(answerMac, answer as Buffer) === false) {
          end(unreachable(this.#peerId, "its answer is not proved by the secret"));
        } else end(undefined, answer);
      },
    );
    call.on("metadata", (metadata) => {
      answerMac = firstText(metadata, answerMacKey);
    });
    const cancel = (): void => {
      end(this.#closedError());
      call.cancel();
    };
    const abort = (): void => {
      end(abortedBy(signal));
      call.cancel();
    };
    const cancelTimer = this.#options.clock.schedule(timeoutMs, () => {
      end(new ParsecError("TIMEOUT", `${this.#peerId} did not answer within ${timeoutMs} ms`));
      call.cancel();
    });
    signal?.addEventListener("abort", abort, { once: true });
    this.#unaryCalls.add(cancel);
  }

  /** Has the next call make a new connection; calls under way keep theirs until they end. */
  renew(): void {
    if (this.#control !== undefined) this.#discard(this.#control);
  }

  /** Ends what is under way and frees the connections, save those of open streams. */
  close(): void {
    this.#closed = true;
    for (const cancel of [...this.#unaryCalls]) cancel();
    this.renew();
  }

  #closedError(): ParsecError {
    return new ParsecError("CLOSED", `the connection to ${this.#peerId} was closed`);
  }

  #discard(client: Client): void {
    if (this.#control === client) this.#control = undefined;
    client.close();
  }

  #createClient(): Client {
    const { tls, connections } = this.#options;
    const { host, port, secure } = addressOf(this.#peerId);
    const options: ChannelOptions = {
      "grpc.max_receive_message_length": maxAnswerMessageBytes + answerHeadBytes + sealBytes,
      "grpc.max_send_message_length": -1,
      "grpc.keepalive_time_ms": connections.keepAliveMs,
      "grpc.keepalive_timeout_ms": connections.keepAliveTimeoutMs,
      "grpc.keepalive_permit_without_calls": 1,
      "grpc-node.flow_control_window": flowControlBytes,
      // Two nodes of one process do not share connections, nor do lookups and signs of life.
      "grpc.use_local_subchannel_pool": 1,
      // What fails is asked again by those who know whether that does harm.
      "grpc.enable_retries": 0,
      "grpc.enable_channelz": 0,
      // Peers are neighbours: no proxy of the environment, no service configuration from DNS.
      "grpc.enable_http_proxy": 0,
      "grpc.service_config_disable_resolution": 1,
      ...(tls?.serverName === undefined
        ? {}
        : {
            "grpc.ssl_target_name_override": tls.serverName,
            "grpc.default_authority": tls.serverName,
          }),
    };
    const isSecure = secure ?? tls !== undefined;
    return new Client(`dns:${hostAndPort(host, port)}`, channelCredentials(tls, isSecure), options);
  }
}

function metadataOf(signed: SignedCall | undefined): Metadata {
  const metadata = new Metadata();
  if (signed !== undefined) metadata.set(authorizationKey, signed.authorization);
  return metadata;
}

function abortedBy(signal: AbortSignal | undefined): ParsecError {
  return new ParsecError("ABORTED", "the caller gave the call up", { cause: signal?.reason });
}
