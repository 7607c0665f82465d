import { clusterConfigFromEnv, type DnsDiscovery } from "@parsec/core";
import { type ClientOptions, weaknessOf } from "@parsec/tokens";
import {
  checkUrl,
  type Environment,
  invalidVariable,
  listVariable,
  numberVariable,
  optionalVariable,
  requiredVariable,
  type SecretVariable,
  secretVariable,
} from "./environment.ts";
import { isLoopback, type ListenAddress, listenAddress } from "./listen-address.ts";

/** The configuration of one node. */
export interface NodeConfig {
  readonly selfUrl: string;
  /** The URLs of all nodes; only this node's with `discovery`. */
  readonly peerUrls: readonly string[];
  readonly discovery: DnsDiscovery | undefined;
  readonly listen: ListenAddress;
  /** The issuer identifier; the same on all nodes. */
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly trusted: {
    readonly issuer: string;
    readonly jwksUrl: string | undefined;
    readonly audience: readonly string[];
  };
  readonly databaseUrl: string;
  readonly databasePoolSize: number;
  readonly databaseTimeoutMs: number;
  readonly usersTable: string;
  readonly usersTtlMs: number;
  /** Undefined for a random secret per process, allowed only for a single node. */
  readonly signingSecret: string | undefined;
  readonly peerSecret: string | undefined;
  readonly peerSilenceMs: number;
  readonly adminToken: string | undefined;
  readonly clients: readonly ClientOptions[];
  /** Whether secrets that are easy to guess are accepted. */
  readonly isDemo: boolean;
  readonly tokenTtlMs: number;
  readonly exchangeTimeoutMs: number;
  readonly drainMs: number;
  readonly logLevel: string;
}

const web = ["http:", "https:"];
const logLevels = ["silent", "fatal", "error", "warn", "info", "debug", "trace"];

/** The list of variables for `--help`. */
export const nodeVariables: string = `  PARSEC_SELF_URL          URL at which peers reach this node (http://localhost:8080)
  PARSEC_PEER_URLS         URLs of all nodes, this one included, separated by commas (this node alone)
  PARSEC_PEER_DNS          or a DNS name that lists every node, by address or as _http._tcp.name (none)
  PARSEC_PEER_DNS_SERVERS  DNS servers, separated by commas (those of the system)
  PARSEC_PEER_DNS_REFRESH_MS  interval of DNS queries (5000)
  PARSEC_LISTEN            host:port to listen on (the port of PARSEC_SELF_URL)
  PARSEC_ISSUER            issuer of the tokens, the same on all nodes (PARSEC_SELF_URL of a single node)
  PARSEC_AUDIENCES         allowed audiences of tokens, separated by commas; the first is the default
  PARSEC_TRUSTED_ISSUER    issuer of the tokens to exchange
  PARSEC_TRUSTED_AUDIENCE  audiences of these tokens, separated by commas
  PARSEC_TRUSTED_JWKS_URL  URL of the issuer's keys (jwks_uri of its metadata)
  PARSEC_DATABASE_URL      URL of the Postgres with the users
  PARSEC_USERS_TABLE       table or view with issuer, subject, email, roles, department (users)
  PARSEC_USERS_TTL_MS      time to live of a cached user (300000)
  PARSEC_DATABASE_POOL     maximum number of connections (4)
  PARSEC_DATABASE_TIMEOUT_MS  timeout of one query (2000)
  PARSEC_SIGNING_SECRET    at least 32 random bytes, the same on all nodes
  PARSEC_PEER_SECRET       signs requests between nodes, the same on all nodes
  PARSEC_PEER_SILENCE_MS   how long a peer may leave requests unanswered before it is pinged (1000)
  PARSEC_ADMIN_TOKEN       enables POST /admin/invalidate, at least 16 characters (disabled)
  PARSEC_CLIENTS           id:secret of clients that must authenticate, separated by commas
  PARSEC_..._FILE          a file with the secret instead, for each of these four
  PARSEC_DEMO              1 accepts secrets that are easy to guess, for demonstrations (0)
  PARSEC_TOKEN_TTL_MS      lifetime of a token (300000)
  PARSEC_EXCHANGE_TIMEOUT_MS  timeout of one exchange (10000)
  PARSEC_DRAIN_MS          how long a stop waits for pending requests (10000)
  PARSEC_LOG_LEVEL         ${logLevels.join(", ")} (info)`;

/** Reads the configuration. Throws `INVALID_ARGUMENT` with the variable and the rule. */
export function nodeConfigFromEnv(
  env: Environment,
  flags: { readonly port?: string; readonly host?: string } = {},
): NodeConfig {
  const { selfUrl, peerUrls, discovery } = clusterConfigFromEnv(env);
  if (!peerUrls.includes(selfUrl)) {
    throw invalidVariable("PARSEC_PEER_URLS", `must list all nodes, including ${selfUrl}`);
  }
  const isAlone = peerUrls.length === 1 && discovery === undefined;
  return {
    selfUrl,
    peerUrls,
    discovery,
    listen: listenAddress(selfUrl, { listen: optionalVariable(env, "PARSEC_LISTEN"), ...flags }),
    issuer: readIssuer(env, isAlone ? selfUrl : undefined),
    audiences: readList(env, "PARSEC_AUDIENCES", "the allowed audiences of tokens"),
    trusted: readTrusted(env),
    databaseUrl: checkUrl(
      "PARSEC_DATABASE_URL",
      requiredVariable(env, "PARSEC_DATABASE_URL", "the Postgres with the users"),
      ["postgres:", "postgresql:"],
    ),
    databasePoolSize: numberVariable(env, "PARSEC_DATABASE_POOL", {
      fallback: 4,
      min: 1,
      max: 100,
    }),
    databaseTimeoutMs: numberVariable(env, "PARSEC_DATABASE_TIMEOUT_MS", {
      fallback: 2_000,
      min: 10,
      max: 60_000,
    }),
    usersTable: readTable(env),
    usersTtlMs: numberVariable(env, "PARSEC_USERS_TTL_MS", {
      fallback: 300_000,
      min: 1,
      max: 31_536_000_000,
    }),
    signingSecret: readSigningSecret(env, isAlone),
    peerSecret: readPeerSecret(env, isAlone || isLoopback(selfUrl)),
    peerSilenceMs: numberVariable(env, "PARSEC_PEER_SILENCE_MS", {
      fallback: 1_000,
      min: 10,
      max: 600_000,
    }),
    adminToken: readAdminToken(env),
    clients: readClients(env),
    isDemo: readDemo(env),
    tokenTtlMs: numberVariable(env, "PARSEC_TOKEN_TTL_MS", {
      fallback: 300_000,
      min: 1_000,
      max: 3_600_000,
    }),
    exchangeTimeoutMs: numberVariable(env, "PARSEC_EXCHANGE_TIMEOUT_MS", {
      fallback: 10_000,
      min: 1,
      max: 300_000,
    }),
    drainMs: numberVariable(env, "PARSEC_DRAIN_MS", { fallback: 10_000, min: 0, max: 600_000 }),
    logLevel: readLogLevel(env),
  };
}

function readIssuer(env: Environment, fallback: string | undefined): string {
  const name = "PARSEC_ISSUER";
  const value = optionalVariable(env, name) ?? fallback;
  if (value === undefined) {
    throw invalidVariable(name, "must be set when there are several nodes, the same on all");
  }
  checkUrl(name, value, web);
  if (/[?#]/.test(value))
    throw invalidVariable(name, `must not have a query or a fragment, got "${value}"`);
  return value;
}

function readTrusted(env: Environment): NodeConfig["trusted"] {
  const issuer = requiredVariable(
    env,
    "PARSEC_TRUSTED_ISSUER",
    "the issuer of the tokens to exchange",
  );
  const jwksUrl = optionalVariable(env, "PARSEC_TRUSTED_JWKS_URL");
  if (jwksUrl === undefined) checkKeyUrl("PARSEC_TRUSTED_ISSUER", issuer);
  else checkKeyUrl("PARSEC_TRUSTED_JWKS_URL", jwksUrl);
  const audience = readList(
    env,
    "PARSEC_TRUSTED_AUDIENCE",
    "the audiences of the tokens to exchange",
  );
  return { issuer, jwksUrl, audience };
}

/** Keys from the network decide who is trusted, so they must not be fetched unencrypted. */
function checkKeyUrl(name: string, text: string): void {
  const url = new URL(checkUrl(name, text, web));
  if (url.username !== "" || url.password !== "") {
    throw invalidVariable(name, "must not contain credentials");
  }
  if (url.protocol !== "https:" && !isLoopback(text)) {
    throw invalidVariable(name, `must begin with https:// (http:// only on loopback), got ${text}`);
  }
}

function readList(env: Environment, name: string, purpose: string): readonly string[] {
  const list = listVariable(env, name);
  if (list.length === 0) throw invalidVariable(name, `must be set: ${purpose}`);
  return list;
}

function readTable(env: Environment): string {
  const name = "PARSEC_USERS_TABLE";
  const table = optionalVariable(env, name) ?? "users";
  // Identifiers cannot be bound as parameters, so this check prevents SQL injection.
  if (!/^[a-z_][a-z0-9_]{0,62}(\.[a-z_][a-z0-9_]{0,62})?$/.test(table)) {
    throw invalidVariable(
      name,
      `must be table or schema.table in lower-case letters, digits and _, got "${table}"`,
    );
  }
  return table;
}

/** A peer's or client's secret is checked over the network only, so it may be shorter than a signing secret. */
const minSecretLengths = { signing: 32, other: 16 } as const;

function readSigningSecret(env: Environment, isAlone: boolean): string | undefined {
  const name = "PARSEC_SIGNING_SECRET";
  const secret = secretVariable(env, name);
  if (secret !== undefined) return checkSecret(secret, minSecretLengths.signing, env);
  if (isAlone) return undefined;
  throw invalidVariable(name, "must be set when there are several nodes, the same on all");
}

function readPeerSecret(env: Environment, isOptional: boolean): string | undefined {
  const name = "PARSEC_PEER_SECRET";
  const secret = secretVariable(env, name);
  if (secret !== undefined) return checkSecret(secret, minSecretLengths.other, env);
  if (isOptional) return undefined;
  throw invalidVariable(name, "must be set when peers are on other machines, the same on all");
}

function readAdminToken(env: Environment): string | undefined {
  const token = secretVariable(env, "PARSEC_ADMIN_TOKEN");
  if (token === undefined) return undefined;
  if (!/^[\x21-\x7e]+$/.test(token.value)) {
    throw invalidVariable(token.source, "must be printable ASCII without spaces");
  }
  return checkSecret(token, minSecretLengths.other, env);
}

function readClients(env: Environment): readonly ClientOptions[] {
  const list = secretVariable(env, "PARSEC_CLIENTS");
  if (list === undefined) return [];
  const entries = list.value.split(/[,\n]/).map((entry) => entry.trim());
  return entries.filter(Boolean).map((entry) => {
    const [, id, value] = /^([^:]+):(.+)$/.exec(entry) ?? [];
    if (id === undefined || value === undefined) {
      throw invalidVariable(list.source, "must list id:secret, separated by commas");
    }
    const source = `${list.source}: the secret of ${id}`;
    return { id, secret: checkSecret({ value, source }, minSecretLengths.other, env) };
  });
}

/** Throws `INVALID_ARGUMENT` for a secret that is short or, outside of a demonstration, easy to guess. */
function checkSecret(
  { value, source }: SecretVariable,
  minLength: number,
  env: Environment,
): string {
  if (Buffer.byteLength(value) < minLength) {
    throw invalidVariable(source, `must have at least ${minLength} bytes`);
  }
  const weakness = readDemo(env) ? undefined : weaknessOf(value);
  if (weakness !== undefined) {
    throw invalidVariable(source, `${weakness}; openssl rand -base64 32 generates one`);
  }
  return value;
}

function readDemo(env: Environment): boolean {
  const value = optionalVariable(env, "PARSEC_DEMO") ?? "0";
  if (value !== "0" && value !== "1") {
    throw invalidVariable("PARSEC_DEMO", `must be 0 or 1, got "${value}"`);
  }
  return value === "1";
}

function readLogLevel(env: Environment): string {
  const level = optionalVariable(env, "PARSEC_LOG_LEVEL") ?? "info";
  if (!logLevels.includes(level)) {
    throw invalidVariable(
      "PARSEC_LOG_LEVEL",
      `must be one of ${logLevels.join(", ")}, got "${level}"`,
    );
  }
  return level;
}
