/** The request headers that this package uses. */
export interface RequestHead {
  readonly host: string;
  readonly authorization: string | undefined;
  readonly contentType: string;
  readonly contentEncoding: string | undefined;
  /** NaN without the header. */
  readonly contentLength: number;
  /** Whether a header shows that a proxy forwarded the request, or that a web page sent it. */
  readonly isForwarded: boolean;
  /** Whether the client closes the connection after this request, as proxies do by default. */
  readonly closes: boolean;
  readonly traceparent: string | undefined;
  /** All `tracestate` headers, joined into one list. */
  readonly tracestate: string | undefined;
}

/**
 * Parses `rawHeaders`. Of a repeated header the first counts, as in Node's `headers`, which takes
 * several times as long to build. An instrumented client adds a second traceparent to ours.
 */
export function readHead(rawHeaders: readonly string[]): RequestHead {
  let host: string | undefined;
  let authorization: string | undefined;
  let contentType: string | undefined;
  let contentEncoding: string | undefined;
  let contentLength: number | undefined;
  let isForwarded = false;
  let closes = false;
  let traceparent: string | undefined;
  let tracestate: string | undefined;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const value = rawHeaders[index + 1] as string;
    const name = (rawHeaders[index] as string).toLowerCase();
    switch (name) {
      case "host":
        host ??= value;
        break;
      case "authorization":
        authorization ??= value;
        break;
      case "content-type":
        contentType ??= value;
        break;
      case "content-encoding":
        contentEncoding ??= value;
        break;
      case "content-length":
        contentLength ??= Number(value);
        break;
      case "connection":
        closes ||= value.toLowerCase().includes("close");
        break;
      case "traceparent":
        traceparent ??= value;
        break;
      case "tracestate":
        tracestate = tracestate === undefined ? value : `${tracestate},${value}`;
        break;
      default:
        isForwarded ||= isForwarding(name);
    }
  }
  return {
    host: host ?? "",
    authorization,
    contentType: contentType ?? "",
    contentEncoding,
    contentLength: contentLength ?? Number.NaN,
    isForwarded,
    closes,
    traceparent,
    tracestate,
  };
}

const forwarding: ReadonlySet<string> = new Set([
  "forwarded",
  "via",
  "x-real-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "true-client-ip",
  "cf-connecting-ip",
  "cdn-loop",
  "max-forwards",
  "proxy-connection",
  // Sent by browsers.
  "origin",
  "sec-fetch-site",
]);

function isForwarding(name: string): boolean {
  return name.startsWith("x-forwarded-") || name.startsWith("x-original-") || forwarding.has(name);
}
