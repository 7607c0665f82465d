import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import {
  answerMacKey,
  authorizationKey,
  type CallVerifier,
  isSignedMessage,
  type SignedCall,
  type VerifiedCall,
} from "../grpc-auth.ts";
import { statusOf } from "../grpc-errors.ts";
import { firstText, messageMethods } from "../grpc-wire.ts";
import type { RefusalLog } from "./grpc-refusals.ts";

/** Which calls this node accepts (invariant I10). */
export interface AdmissionRules {
  /** Requires a valid signature on every call. */
  readonly verifier: CallVerifier | undefined;
  readonly requireClientCertificate: boolean;
  /** Accepts calls from any machine when neither signatures nor certificates are required. */
  readonly insecure: boolean;
  /** Answers health checks without authentication. */
  readonly openHealth: boolean;
  readonly refusals: RefusalLog;
}

/** A call before its messages have arrived. */
interface IncomingCall {
  readonly metadata: Metadata;
  getPath(): string;
  getPeer(): string;
  getAuthContext(): { readonly sslPeerCertificate?: unknown };
}

/** An accepted call; `verified` is undefined when no signature is required. */
export interface Admission {
  readonly verified: VerifiedCall | undefined;
}

const loopback = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|::ffff:127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/;

/** Admits or refuses each call by its metadata, before its messages are read where the server allows that. */
export class Admissions {
  readonly #rules: AdmissionRules;
  /** Calls that {@link interceptor} has admitted. */
  readonly #admitted: WeakMap<Metadata, Admission> = new WeakMap();

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  /** For the server of this package: refuses calls before their messages are read. */
  get interceptor(): ServerInterceptor {
    return (method, call) => {
      // The handler of a request stream runs before any message is read, so no interceptor is needed;
      // one would add a tenth to the time of a lookup.
      if (method.requestStream) return call as unknown as ServerInterceptingCall;
      return new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveMetadata: (metadata, proceed) => {
              const incoming = {
                metadata,
                getPath: () => method.path,
                getPeer: () => call.getPeer(),
                getAuthContext: () => call.getAuthContext(),
              };
              try {
                this.#admitted.set(metadata, this.#admit(incoming));
              } catch (error) {
                call.sendStatus(statusOf(error));
                return;
              }
              proceed(metadata);
            },
          }),
      });
    };
  }

  /** Admits a call, or throws `UNAUTHENTICATED`. */
  admit(call: IncomingCall): Admission {
    return this.#admitted.get(call.metadata) ?? this.#admit(call);
  }

  /** Like {@link admit}, and checks that `message` is the signed one. */
  admitMessage(call: IncomingCall, message: Buffer): Admission {
    const admission = this.admit(call);
    const { verified } = admission;
    if (verified !== undefined && !isSignedMessage(verified, message)) {
      throw this.#refuse(call, "message does not match its signature");
    }
    return admission;
  }

  /** Reports a stream message with an invalid signature, and returns the error for the client. */
  tampered(call: Pick<IncomingCall, "getPeer">): ParsecError {
    return this.#refuse(call, "stream message has an invalid signature");
  }

  #admit(call: IncomingCall): Admission {
    const { verifier, requireClientCertificate, insecure, openHealth } = this.#rules;
    if (openHealth && isHealthCheck(call.getPath())) return { verified: undefined };
    if (requireClientCertificate && call.getAuthContext().sslPeerCertificate === undefined) {
      throw this.#refuse(call, "a trusted client certificate is required");
    }
    if (verifier !== undefined) {
      const verified = verifier(call.getPath(), firstText(call.metadata, authorizationKey));
      if (typeof verified === "string") throw this.#refuse(call, verified);
      return { verified };
    }
    if (!requireClientCertificate && !insecure && !isLocal(call)) {
      const reason =
        "without a secret or client certificates this node accepts loopback calls only";
      throw this.#refuse(call, reason);
    }
    return { verified: undefined };
  }

  #refuse(call: Pick<IncomingCall, "getPeer">, reason: string): ParsecError {
    this.#rules.refusals.refused(call.getPeer(), reason);
    return new ParsecError("UNAUTHENTICATED", reason);
  }
}

/** Sets the metadata that authenticates a response. Does nothing without a secret. */
export function setAnswerMac(
  metadata: Metadata,
  signed: SignedCall | undefined,
  answer: Buffer,
): void {
  if (signed !== undefined) metadata.set(answerMacKey, signed.answerMac(answer));
}

function isHealthCheck(path: string): boolean {
  return path === messageMethods.check.path || path === messageMethods.watch.path;
}

function isLocal(call: IncomingCall): boolean {
  const peer = call.getPeer();
  const host = peer.slice(0, Math.max(peer.lastIndexOf(":"), 0));
  // A local proxy may forward calls from any machine.
  const { metadata } = call;
  if (firstText(metadata, "forwarded") ?? firstText(metadata, "x-forwarded-for")) return false;
  return loopback.test(host);
}
