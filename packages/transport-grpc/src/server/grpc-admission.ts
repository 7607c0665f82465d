import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { ParsecError } from "@parsec/core";
import {
  isLoopbackHost,
  isSignedBody,
  type RequestVerifier,
  type VerifiedRequest,
} from "@parsec/core/transport";
import { answerMacKey, authorizationKey, SignedCall } from "../grpc-auth.ts";
import { statusOf } from "../grpc-errors.ts";
import { firstText, messageMethods } from "../grpc-wire.ts";
import type { RefusalLog } from "./grpc-refusals.ts";

/** Which calls this node accepts (invariant I10). */
export interface AdmissionRules {
  /** Requires a valid signature on every call. */
  readonly verifier: RequestVerifier | undefined;
  readonly requireClientCertificate: boolean;
  /** Accepts all calls when neither signatures nor certificates are required. */
  readonly insecure: boolean;
  /** Accepts unsigned `GroupCache/Get` and health checks from loopback when no certificates are required. */
  readonly openLoopback: boolean;
  /** Host names of this node, accepted from loopback. */
  readonly hostnames: ReadonlySet<string>;
  /** Answers health checks without authentication. */
  readonly openHealth: boolean;
  readonly refusals: RefusalLog;
}

/** A call before its messages have arrived. */
interface IncomingCall {
  readonly metadata: Metadata;
  getPath(): string;
  getPeer(): string;
  /** The authority that the client called. */
  getHost(): string;
  getAuthContext(): { readonly sslPeerCertificate?: unknown };
}

/** An accepted call; `verified` is undefined when no signature is required. */
export interface Admission {
  readonly verified: VerifiedRequest | undefined;
}

const unverified: Admission = { verified: undefined };

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
                getHost: () => call.getHost(),
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
    if (verified !== undefined && !isSignedBody(verified, message)) {
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
    if (openHealth && isHealthCheck(call.getPath())) return unverified;
    if (requireClientCertificate && call.getAuthContext().sslPeerCertificate === undefined) {
      throw this.#refuse(call, "a trusted client certificate is required");
    }
    if (verifier !== undefined) {
      const authorization = firstText(call.metadata, authorizationKey);
      if (authorization === undefined && this.#isOpenTo(call)) return unverified;
      const verified = verifier(call.getPath(), authorization);
      if (typeof verified === "string") throw this.#refuse(call, verified);
      return { verified };
    }
    if (requireClientCertificate || insecure || this.#isOpenTo(call)) return unverified;
    const reason = "this node has neither a secret nor client certificates, and answers nobody";
    throw this.#refuse(call, reason);
  }

  #isOpenTo(call: IncomingCall): boolean {
    const { openLoopback, requireClientCertificate, hostnames } = this.#rules;
    if (!openLoopback || requireClientCertificate) return false;
    const path = call.getPath();
    if (path !== messageMethods.get.path && !isHealthCheck(path)) return false;
    const name = withoutPort(call.getHost()).toLowerCase();
    return isLocal(call) && (isLoopbackHost(name) || hostnames.has(name));
  }

  #refuse(call: Pick<IncomingCall, "getPeer">, reason: string): ParsecError {
    this.#rules.refusals.refused(call.getPeer(), reason);
    return new ParsecError("UNAUTHENTICATED", reason);
  }
}

/** Sets the metadata that authenticates a response. Does nothing without a secret. */
export function setAnswerMac(
  metadata: Metadata,
  verified: VerifiedRequest | undefined,
  answer: Buffer,
): void {
  if (verified !== undefined)
    metadata.set(answerMacKey, new SignedCall(verified).answerMac(answer));
}

function isHealthCheck(path: string): boolean {
  return path === messageMethods.check.path || path === messageMethods.watch.path;
}

const forwarding: readonly string[] = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
];

/** Whether the caller is on this machine and nothing shows a proxy, which may forward calls from any machine. Many proxies leave no trace. */
function isLocal(call: IncomingCall): boolean {
  if (!isLoopbackHost(withoutPort(call.getPeer()))) return false;
  return !forwarding.some((name) => firstText(call.metadata, name) !== undefined);
}

/** The host of `host:port`, where IPv6 may have no brackets. */
function withoutPort(address: string): string {
  return address.replace(/:\d*$/, "");
}
