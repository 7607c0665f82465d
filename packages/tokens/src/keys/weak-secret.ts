/** Secrets that documents show as examples, in lower case without punctuation. */
const published: ReadonlySet<string> = new Set([
  "32randombytesthatallnodesshare",
  "changeme16charactersormore",
  "asecretthatallnodesshare",
  "asecretofatleast32bytes",
]);

/** Words of which placeholders are made: "my-secret-key", "please-change-me-1234". */
const placeholder =
  /^(a|admin|any|changeit|changeme|client|default|demo|dev|dummy|example|insecure|key|letmein|local|my|new|password|peer|placeholder|please|prod|replace|sample|secret|shared|signing|super|test|the|this|to|todo|token|very|with|your|value|me|qwerty|abcdef|abc)+$/;

const fewestDistinctBytes = 8;
const longestUnitBytes = 12;

/**
 * Why a secret is too easy to guess: it is published, a placeholder, or repeats itself. Undefined for all
 * others, which are not thereby random: use 32 bytes of a generator. The text does not contain the secret.
 */
export function weaknessOf(secret: string | Uint8Array): string | undefined {
  const bytes = Buffer.from(secret as Uint8Array);
  const text = bytes.toString("utf8").toLowerCase();
  if (published.has(text.replace(/[^a-z0-9]/g, ""))) return "must not be an example of a document";
  if (new Set(bytes).size < fewestDistinctBytes) {
    return `must have at least ${fewestDistinctBytes} different characters`;
  }
  if (repeats(bytes)) return "must not be a short text that is repeated";
  const letters = text.replace(/[^a-z]/g, "");
  // Random bytes have few letters, which could be a word by chance.
  if (letters.length * 2 >= text.length && placeholder.test(letters)) {
    return "must not be a placeholder";
  }
  return undefined;
}

/** Whether a unit of at most {@link longestUnitBytes} is repeated from the beginning to the end. */
function repeats(bytes: Uint8Array): boolean {
  const longest = Math.min(longestUnitBytes, Math.floor(bytes.length / 2));
  for (let unit = 1; unit <= longest; unit += 1) {
    if (bytes.every((byte, index) => byte === bytes[index % unit])) return true;
  }
  return false;
}
