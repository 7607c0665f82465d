import { ParsecError } from "./errors.ts";
import { describe } from "./option-checks.ts";

/** This node and all nodes, as URLs. */
export interface ClusterConfig {
  readonly selfUrl: string;
  /** Every node, this one included. */
  readonly peerUrls: readonly string[];
}

/**
 * Reads `PARSEC_SELF_URL` (default `http://localhost:8080`) and `PARSEC_PEER_URLS` (comma-separated,
 * this node included; default: this node alone). Throws `INVALID_ARGUMENT` that names the variable.
 */
export function clusterConfigFromEnv(
  env: Readonly<Record<string, string | undefined>> = process.env,
): ClusterConfig {
  const selfUrl = checkedUrl(
    "PARSEC_SELF_URL",
    env.PARSEC_SELF_URL?.trim() || "http://localhost:8080",
  );
  const listed = (env.PARSEC_PEER_URLS ?? "").split(",").map((url) => url.trim());
  const urls = listed.filter((url) => url !== "");
  if (urls.length === 0) return { selfUrl, peerUrls: [selfUrl] };
  return { selfUrl, peerUrls: urls.map((url) => checkedUrl("PARSEC_PEER_URLS", url)) };
}

function checkedUrl(variable: string, text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new ParsecError("INVALID_ARGUMENT", `${variable} has ${describe(text)}, which is no URL`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `${variable} has ${describe(text)}; only http: and https: are possible`,
    );
  }
  return text.endsWith("/") ? text.slice(0, -1) : text;
}
