/** An id and a secret, as a client sent them. */
export interface Credentials {
  readonly id: string;
  readonly secret: string;
}

/**
 * The credentials that an `Authorization: Basic` header may mean. RFC 6749 §2.3.1 wants id and secret
 * form-encoded, but `curl -u` and many clients send them as they are, and others encode one of the two:
 * without knowing the client, `a%20b` may be both. The reading of the RFC comes first. Empty for another
 * scheme, and for text that is not Base64 of UTF-8 with a colon.
 */
export function readBasicCredentials(authorization: string): readonly Credentials[] {
  const text = decodeBasic(authorization);
  const colon = text?.indexOf(":") ?? -1;
  if (text === undefined || colon < 0) return [];
  const ids = readings(text.slice(0, colon));
  const secrets = readings(text.slice(colon + 1));
  return ids.flatMap((id) => secrets.map((secret) => ({ id, secret })));
}

/** RFC 7617 §2: Base64, whose scheme is case-insensitive. Padding may be missing, nothing else may differ. */
function decodeBasic(authorization: string): string | undefined {
  const [, encoded] = /^basic +([a-z0-9+/]+={0,2}) *$/i.exec(authorization) ?? [];
  if (encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, "base64");
  const canonical = bytes.toString("base64");
  if (encoded !== canonical && encoded !== canonical.replace(/=+$/, "")) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Form-decoded, percent-decoded with each plus kept, and as it is, without repetitions. */
function readings(text: string): readonly string[] {
  const decoded = [text.replaceAll("+", " "), text].map((form) => {
    try {
      return decodeURIComponent(form);
    } catch {
      return text;
    }
  });
  return [...new Set([...decoded, text])];
}
