import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import {
  isLoopbackHost,
  isSignedBody,
  type RequestVerifier,
  type VerifiedRequest,
} from "@parsec/core/transport";
import { signedHead } from "../http-wire.ts";
import type { RequestHead } from "./http-head.ts";

/** Which requests this node accepts (invariant I10). */
export interface AdmissionRules {
  /** Requires a valid signature on every request. */
  readonly verifier: RequestVerifier | undefined;
  readonly requireClientCertificate: boolean;
  /** Accepts all requests when neither signatures nor certificates are required. */
  readonly insecure: boolean;
  /** Accepts unsigned GETs from loopback when no certificates are required. */
  readonly openLoopback: boolean;
  /** `Host` headers of this node, accepted from loopback. */
  readonly hostnames: ReadonlySet<string>;
}

/** The decision before the body is read. An admitted request is verified when signatures are required; its body must then be the signed one. */
export type Admission =
  | { readonly refusal: string }
  | { readonly refusal: undefined; readonly verified: VerifiedRequest | undefined };

const unverified: Admission = { refusal: undefined, verified: undefined };

/** Admits or refuses each request by its head, before the body is read. */
export class Admissions {
  readonly #rules: AdmissionRules;
  /** Connections whose certificate has been checked: reading one costs more than a request. */
  readonly #certified: WeakSet<object> = new WeakSet();

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  /** Admits a request by its head and raw target. The signature counts as used from here on. */
  admit(
    request: IncomingMessage,
    { target, head }: { readonly target: string; readonly head: RequestHead },
  ): Admission {
    const { verifier, requireClientCertificate, insecure } = this.#rules;
    if (requireClientCertificate && !this.#hasClientCertificate(request)) {
      return { refusal: "a trusted client certificate is required" };
    }
    if (verifier !== undefined) {
      if (head.authorization === undefined && this.#isOpenTo(request, head)) return unverified;
      const verified = verifier(signedHead(request.method ?? "", target), head.authorization);
      return typeof verified === "string"
        ? { refusal: verified }
        : { refusal: undefined, verified };
    }
    if (requireClientCertificate || insecure || this.#isOpenTo(request, head)) return unverified;
    return {
      refusal: "this node has neither a secret nor client certificates, and answers nobody",
    };
  }

  /** Whether the body is the signed one. True when no signature is required. */
  isSigned(verified: VerifiedRequest | undefined, body: Uint8Array | undefined): boolean {
    return verified === undefined || isSignedBody(verified, body);
  }

  #isOpenTo(request: IncomingMessage, head: RequestHead): boolean {
    const { openLoopback, requireClientCertificate, hostnames } = this.#rules;
    if (!openLoopback || requireClientCertificate || request.method !== "GET") return false;
    return isLocal(request, head) && isOwnName(head.host, hostnames);
  }

  #hasClientCertificate(request: IncomingMessage): boolean {
    const socket = request.socket as Partial<TLSSocket>;
    if (this.#certified.has(socket)) return true;
    if (socket.encrypted !== true || socket.authorized !== true) return false;
    const certificate = socket.getPeerCertificate?.();
    if (certificate === undefined || Object.keys(certificate).length === 0) return false;
    this.#certified.add(socket);
    return true;
  }
}

/** Whether both ends are on this machine and nothing shows a proxy, which may forward requests from any machine. Many proxies leave no trace. */
function isLocal(request: IncomingMessage, head: RequestHead): boolean {
  const { localAddress = "", remoteAddress = "" } = request.socket;
  if (!isLoopbackHost(localAddress) || !isLoopbackHost(remoteAddress)) return false;
  return !head.isForwarded && !head.closes && request.httpVersion === "1.1";
}

/** Guards against DNS rebinding: a web page can point its own domain at 127.0.0.1 and read the response in a local browser. */
function isOwnName(host: string, hostnames: ReadonlySet<string>): boolean {
  const name = host.replace(/:\d*$/, "").toLowerCase();
  return isLoopbackHost(name) || hostnames.has(name);
}
