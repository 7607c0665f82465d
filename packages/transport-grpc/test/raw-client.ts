import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import type { BytesMethod } from "../src/grpc-wire.ts";

/** The outcome of a call. */
export interface Outcome {
  readonly code: string;
  readonly details: string;
  /** The `ParsecErrorCode` in the trailer. */
  readonly typed: string | undefined;
  /** The response to a successful unary call. */
  readonly answer?: Buffer;
}

export interface RawStream {
  readonly call: ClientDuplexStream<Buffer, Buffer>;
  readonly messages: readonly Buffer[];
  readonly ended: Promise<Outcome>;
  send(message: Uint8Array): void;
}

/** A gRPC client that sends raw bytes. */
export interface RawClient {
  unary(
    method: BytesMethod,
    message: Uint8Array,
    options?: { readonly authorization?: string; readonly timeoutMs?: number },
  ): Promise<Outcome>;
  stream(method: BytesMethod, options?: { readonly authorization?: string }): RawStream;
  close(): void;
}

export function createRawClient(
  port: number,
  channelCredentials: ChannelCredentials = credentials.createInsecure(),
): RawClient {
  const client = new Client(`dns:localhost:${port}`, channelCredentials, {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.enable_http_proxy": 0,
    "grpc.max_receive_message_length": -1,
  });
  return {
    unary(method, message, { authorization, timeoutMs = 5000 } = {}) {
      return new Promise((resolve) => {
        client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          Buffer.from(message),
          metadataOf(authorization),
          { deadline: Date.now() + timeoutMs },
          (error, answer) =>
            resolve(
              error === null
                ? { code: "OK", details: "", typed: undefined, answer: answer as Buffer }
                : outcomeOf(error),
            ),
        );
      });
    },
    stream(method, { authorization } = {}) {
      const call = client.makeBidiStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        metadataOf(authorization),
      );
      const messages: Buffer[] = [];
      call.on("data", (message: Buffer) => messages.push(message));
      const ended = new Promise<Outcome>((resolve) => {
        call.on("error", (error) => resolve(outcomeOf(error as ServiceError)));
        call.on("end", () => resolve({ code: "OK", details: "", typed: undefined }));
      });
      return {
        call,
        messages,
        ended,
        send(message) {
          call.write(Buffer.from(message));
        },
      };
    },
    close: () => client.close(),
  };
}

function metadataOf(authorization: string | undefined): Metadata {
  const metadata = new Metadata();
  if (authorization !== undefined) metadata.set("authorization", authorization);
  return metadata;
}

function outcomeOf(error: ServiceError): Outcome {
  const [typed] = error.metadata.get("parsec-code");
  return {
    code: status[error.code],
    details: error.details,
    typed: typeof typed === "string" ? typed : undefined,
  };
}
