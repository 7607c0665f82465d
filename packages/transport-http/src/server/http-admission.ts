import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { SignatureClaim, SignatureVerifier, SignedParts } from "../http-auth.ts";
import type { RequestHead } from "./http-head.ts";

/** Who may ask this node (invariant I10). */
export interface AdmissionRules {
  /** Demands a signature of every request. */
  readonly verifier: SignatureVerifier | undefined;
  readonly requireClientCertificate: boolean;
  /** Serves anybody when nothing else is demanded. */
  readonly insecure: boolean;
  /** Names by which this node is called: `Host` headers that need no suspicion. */
  readonly hostnames: ReadonlySet<string>;
}

/** Refused before the body is read, or admitted, with a claim still to be proved when there are signatures. */
export type Admission =
  | { readonly refusal: string }
  | { readonly refusal: undefined; readonly claim: SignatureClaim | undefined };

const loopback = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|::ffff:127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/;
const ipv4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** Decides about each request before its body is read. */
export class Admissions {
  readonly #rules: AdmissionRules;
  /** Connections whose certificate was looked at: reading one out costs more than a request. */
  readonly #certified: WeakSet<object> = new WeakSet();

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  admit(request: IncomingMessage, head: RequestHead): Admission {
    const { verifier, requireClientCertificate, insecure, hostnames } = this.#rules;
    if (requireClientCertificate && !this.#hasClientCertificate(request)) {
      return { refusal: "this node asks for a client certificate it can verify" };
    }
    if (verifier !== undefined) {
      const claim = verifier.claim(head.authorization);
      if (claim === undefined) return { refusal: "the request is not signed, or too long ago" };
      return { refusal: undefined, claim };
    }
    if (!requireClientCertificate && !insecure && !isLocal(request, head, hostnames)) {
      return { refusal: "without a secret or client certificates this node serves loopback only" };
    }
    return { refusal: undefined, claim: undefined };
  }

  /** Whether the claim made in the header holds for the whole request. */
  proves(claim: SignatureClaim | undefined, parts: SignedParts): boolean {
    const { verifier } = this.#rules;
    if (verifier === undefined) return true;
    return claim !== undefined && verifier.verify(claim, parts);
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

function isLocal(
  request: IncomingMessage,
  head: RequestHead,
  hostnames: ReadonlySet<string>,
): boolean {
  const { localAddress, remoteAddress } = request.socket;
  if (!loopback.test(localAddress ?? "") || !loopback.test(remoteAddress ?? "")) return false;
  // A proxy on this machine speaks for somebody who may be anywhere.
  if (head.isForwarded) return false;
  return hostnames.has(head.host) || !isForeignName(head.host, hostnames);
}

/** A web page can point its own domain at 127.0.0.1 and have a browser here read the answer. */
function isForeignName(host: string, hostnames: ReadonlySet<string>): boolean {
  const name = host.replace(/:\d*$/, "").toLowerCase();
  if (!name.includes(".") || ipv4.test(name) || name.startsWith("[")) return false;
  return !name.endsWith(".localhost") && !hostnames.has(name);
}
