import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import type { SignatureClaim, SignatureVerifier, SignedParts } from "../http-auth.ts";
import type { RequestHead } from "./http-head.ts";

/** Which requests this node accepts (invariant I10). */
export interface AdmissionRules {
  /** Requires a valid signature on every request. */
  readonly verifier: SignatureVerifier | undefined;
  readonly requireClientCertificate: boolean;
  /** Accepts requests from any machine when neither signatures nor certificates are required. */
  readonly insecure: boolean;
  /** Accepted `Host` headers: the names of this node. */
  readonly hostnames: ReadonlySet<string>;
}

/** The decision before the body is read. An admitted request has a claim to be verified when signatures are required. */
export type Admission =
  | { readonly refusal: string }
  | { readonly refusal: undefined; readonly claim: SignatureClaim | undefined };

const loopback = /^(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1|::ffff:127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/;
const ipv4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;

/** Admits or refuses each request by its head, before the body is read. */
export class Admissions {
  readonly #rules: AdmissionRules;
  /** Connections whose certificate has been checked: reading one costs more than a request. */
  readonly #certified: WeakSet<object> = new WeakSet();

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  admit(request: IncomingMessage, head: RequestHead): Admission {
    const { verifier, requireClientCertificate, insecure, hostnames } = this.#rules;
    if (requireClientCertificate && !this.#hasClientCertificate(request)) {
      return { refusal: "a trusted client certificate is required" };
    }
    if (verifier !== undefined) {
      const claim = verifier.claim(head.authorization);
      if (claim === undefined) return { refusal: "signature is missing, malformed or expired" };
      return { refusal: undefined, claim };
    }
    if (!requireClientCertificate && !insecure && !isLocal(request, head, hostnames)) {
      return {
        refusal: "without a secret or client certificates this node accepts loopback requests only",
      };
    }
    return { refusal: undefined, claim: undefined };
  }

  /** Whether the signature is valid for the whole request. True when no signatures are required. */
  verify(claim: SignatureClaim | undefined, parts: SignedParts): boolean {
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
  // A local proxy may forward requests from any machine.
  if (head.isForwarded) return false;
  return hostnames.has(head.host) || !isForeignName(head.host, hostnames);
}

/** Guards against DNS rebinding: a web page can point its own domain at 127.0.0.1 and read the response in a local browser. */
function isForeignName(host: string, hostnames: ReadonlySet<string>): boolean {
  const name = host.replace(/:\d*$/, "").toLowerCase();
  if (!name.includes(".") || ipv4.test(name) || name.startsWith("[")) return false;
  return !name.endsWith(".localhost") && !hostnames.has(name);
}
