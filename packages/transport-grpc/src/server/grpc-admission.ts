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

/** Who may ask this node (invariant I10). */
export interface AdmissionRules {
  /** Demands a signature of every call. */
  readonly verifier: CallVerifier | undefined;
  readonly requireClientCertificate: boolean;
  /** Serves anybody when nothing else is demanded. */
  readonly insecure: boolean;
  /** Answers health checks of anybody. */
  readonly openHealth: boolean;
  readonly refusals: RefusalLog;
}

/** What is known of a call before its messages. */
interface IncomingCall {
  readonly metadata: Metadata;
  getPath(): string;
  getPeer(): string;
  getAuthContext(): { readonly sslPeerCertificate?: unknown };
}

/** A call that was let in. */
export interface Admission {
  readonly verified: VerifiedCall | undefined;
}

const loopback = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|::ffff:127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/;

/** Decides about each call by its metadata, before any message is read where the server allows that. */
export class Admissions {
  readonly #rules: AdmissionRules;
  /** Of calls that {@link interceptor} has let in. */
  readonly #admitted: WeakMap<Metadata, Admission> = new WeakMap();

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  /** For a server of our own: refuses calls without reading their messages. */
  get interceptor(): ServerInterceptor {
    return (method, call) => {
      // The handler of such a stream runs before any message is read, and each message that passed
      // through an interceptor would cost a lookup a tenth of its time. A call stands for itself.
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

  /** Lets a call in, or throws `UNAUTHENTICATED`. */
  admit(call: IncomingCall): Admission {
    return this.#admitted.get(call.metadata) ?? this.#admit(call);
  }

  /** Like {@link admit} for a call whose message is there: it must be the one that was signed. */
  admitMessage(call: IncomingCall, message: Buffer): Admission {
    const admission = this.admit(call);
    const { verified } = admission;
    if (verified !== undefined && !isSignedMessage(verified, message)) {
      throw this.#refuse(call, "the message is not the one that was signed");
    }
    return admission;
  }

  /** Notes that messages of a stream cannot be those of its opener, and returns what to say. */
  tampered(call: Pick<IncomingCall, "getPeer">): ParsecError {
    return this.#refuse(call, "a message on a stream is not proved");
  }

  #admit(call: IncomingCall): Admission {
    const { verifier, requireClientCertificate, insecure, openHealth } = this.#rules;
    if (openHealth && isHealthCheck(call.getPath())) return { verified: undefined };
    if (requireClientCertificate && call.getAuthContext().sslPeerCertificate === undefined) {
      throw this.#refuse(call, "it showed no certificate that is trusted here");
    }
    if (verifier !== undefined) {
      const verified = verifier(call.getPath(), firstText(call.metadata, authorizationKey));
      if (typeof verified === "string") throw this.#refuse(call, verified);
      return { verified };
    }
    if (!requireClientCertificate && !insecure && !isLocal(call)) {
      const reason = "without a secret or client certificates this node serves loopback only";
      throw this.#refuse(call, reason);
    }
    return { verified: undefined };
  }

  #refuse(call: Pick<IncomingCall, "getPeer">, reason: string): ParsecError {
    this.#rules.refusals.refused(call.getPeer(), reason);
    return new ParsecError("UNAUTHENTICATED", reason);
  }
}

/** Metadata that proves an answer; undefined when there is no secret. */
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
  // A proxy on this machine speaks for somebody who may be anywhere.
  const { metadata } = call;
  if (firstText(metadata, "forwarded") ?? firstText(metadata, "x-forwarded-for")) return false;
  return loopback.test(host);
}
