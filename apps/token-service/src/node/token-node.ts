import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { createDataSourceClusterRegistry, isParsecError, ParsecError } from "@parsec/core";
import { seedMetrics } from "@parsec/metrics/prometheus";
import {
  createDerivedKeySource,
  createTokenHandler,
  createTokenService,
  createTrustStore,
  type ExchangeEvent,
  type TrustStore,
} from "@parsec/tokens";
import { createHttpPeers } from "@parsec/transport-http";
import type { Logger } from "pino";
import { handleInvalidate } from "./admin-endpoint.ts";
import { type DatabasePool, openDatabasePool } from "./database-pool.ts";
import { createHttpServer } from "./http-server.ts";
import { answerJson, answerText } from "./json-answer.ts";
import type { NodeConfig } from "./node-config.ts";
import { createPrometheusMetrics } from "./prometheus-metrics.ts";
import { type ReadinessReport, watchReadiness } from "./readiness.ts";
import { createRequestRouter } from "./request-router.ts";
import { createUserClaimsMapper } from "./user-claims-mapper.ts";
import { createUsersSource } from "./users-source.ts";

/** A running node. */
export interface TokenNode {
  /** Resolves once the identity provider's keys, the database and, with `PARSEC_PEER_DNS`, DNS have been available. */
  whenReady(): Promise<void>;
  /** Completes pending requests for at most `drainMs`, then closes everything. Idempotent. */
  close(): Promise<void>;
}

const basePath = "/_groupcache/";
/** Time to live of "no such user"; short, so that a new user can log in soon. */
const unknownUserTtlMs = 2_000;
/** How long stale roles are served while the database is down. */
const staleIfErrorMs = 60_000;
const readinessRetryMs = 250;

/**
 * Creates and starts a node: peers, registry, trust store, keys, endpoints, server. Rejects when it cannot
 * listen. Without database or identity provider it starts, but is not ready.
 */
export async function startTokenNode(config: NodeConfig, log: Logger): Promise<TokenNode> {
  const pool = openDatabasePool({
    url: config.databaseUrl,
    size: config.databasePoolSize,
    timeoutMs: config.databaseTimeoutMs,
    onError: (error) => log.warn({ reason: error.message }, "lost a database connection"),
  });
  const peers = createHttpPeers({
    selfUrl: config.selfUrl,
    peerUrls: config.peerUrls,
    discovery: config.discovery,
    basePath,
    health: { silenceMs: config.peerSilenceMs },
    onWarning: ({ message }) => log.warn(message),
    ...(config.peerSecret === undefined ? {} : { secret: config.peerSecret }),
  });
  const registry = createDataSourceClusterRegistry({ peers });
  registry.register(createUsersSource(pool, config.usersTable), {
    ttlMs: config.usersTtlMs,
    negativeTtlMs: unknownUserTtlMs,
    staleIfErrorMs,
    timeoutMs: config.databaseTimeoutMs * 2,
  });
  const { jwksUrl, ...trusted } = config.trusted;
  const trust = createTrustStore({
    issuers: [{ ...trusted, ...(jwksUrl === undefined ? {} : { jwksUrl }) }],
    onKeys({ issuer, failure }) {
      // Until the first success, readiness reports the reason.
      if (!trust.ready()) return;
      if (failure === undefined) log.info({ issuer }, "signing keys can be fetched again");
      else log.warn({ issuer, reason: failure }, "cannot fetch signing keys");
    },
  });
  const keys = createDerivedKeySource({
    issuer: config.issuer,
    secret: config.signingSecret ?? randomBytes(32),
    isDemo: config.isDemo,
  });
  const service = createTokenService({
    issuer: config.issuer,
    audiences: config.audiences,
    trust,
    keys,
    dataSources: registry,
    claimMappers: [createUserClaimsMapper()],
    clients: config.clients,
    ttlMs: config.tokenTtlMs,
    timeoutMs: config.exchangeTimeoutMs,
  });
  const metrics = createPrometheusMetrics(registry);
  const { discovery } = config;
  const readiness = watchReadiness(
    [
      // Without its peers, a node would fetch everything from its own origin.
      ...(discovery === undefined
        ? []
        : [{ name: "peers", check: () => discovery.stats().answers > 0 }]),
      { name: "jwks", check: () => checkKeys(trust) },
      { name: "database", check: () => checkDatabase(pool, config.databaseUrl) },
    ],
    {
      retryMs: readinessRetryMs,
      onWaiting: (name, reason) => log.warn({ reason }, `waiting for ${name}`),
    },
  );

  const server = createHttpServer(
    createRequestRouter({
      peers: { basePath, handler: peers.handler },
      read: {
        "/health/live": (_request, response) => answerJson(response, 200, { status: "live" }),
        "/health/ready": (_request, response) => answerReadiness(response, readiness.report()),
        "/metrics": (_request, response) => void answerMetrics(response, metrics),
        "/metrics/cache": (_request, response) =>
          answerText(response, 200, { text: seedMetrics(registry), type: "text/plain" }),
      },
      write: {
        "/admin/invalidate": (request, response) =>
          void handleInvalidate(request, response, {
            registry,
            token: config.adminToken,
            defaultIssuer: config.trusted.issuer,
          }),
      },
      tokens: createTokenHandler(service, {
        onExchange(event) {
          metrics.countExchange(event);
          logExchange(log, event);
        },
      }),
    }),
  );

  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    readiness.startDraining();
    await server.drain(config.drainMs);
    readiness.close();
    trust.close();
    keys.close();
    await registry.close();
    await pool.end();
  };

  try {
    await server.listen(config.listen);
  } catch (reason) {
    await close();
    throw listenError(config, reason);
  }
  return {
    whenReady: () => readiness.whenReady(),
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function checkKeys(trust: TrustStore): boolean {
  const [failure] = trust.failures();
  if (!trust.ready() && failure !== undefined) throw new Error(failure.reason);
  return trust.ready();
}

/** Rejects with the address of the database, without user and password. */
async function checkDatabase(pool: DatabasePool, url: string): Promise<boolean> {
  try {
    await pool.query("SELECT 1");
    return true;
  } catch (cause) {
    const { host, pathname } = new URL(url);
    const { message, code } = cause as { readonly message?: unknown; readonly code?: unknown };
    throw new Error(`postgres://${host}${pathname}: ${message || code}`, { cause });
  }
}

function answerReadiness(response: ServerResponse, report: ReadinessReport): void {
  const { status, waitingFor, reasons } = report;
  const body = {
    status,
    waiting_for: waitingFor,
    ...(Object.keys(reasons).length > 0 && { reasons }),
  };
  answerJson(response, report.status === "ready" ? 200 : 503, body);
}

async function answerMetrics(
  response: ServerResponse,
  metrics: ReturnType<typeof createPrometheusMetrics>,
): Promise<void> {
  try {
    answerText(response, 200, { text: await metrics.render(), type: metrics.contentType });
  } catch {
    answerJson(response, 500, { error: "server_error" });
  }
}

/**
 * Logs failures of the server as warnings, and all other outcomes at debug level. Never logs a token.
 * Failures that any unverified token can cause are not warnings: `onKeys` reports those of the keys.
 */
function logExchange(log: Logger, { outcome, durationMs, error }: ExchangeEvent): void {
  const entry = { outcome, durationMs: Math.round(durationMs) };
  const isUnknownKey = error?.retryAfterMs !== undefined;
  if ((outcome === "temporarily_unavailable" && !isUnknownKey) || outcome === "server_error") {
    log.warn({ ...entry, reason: rootMessage(error) }, "token exchange failed");
  } else {
    log.debug({ ...entry, reason: error?.message }, "token exchange");
  }
}

/** The message of the innermost cause, which is the most specific one. */
function rootMessage(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  const code = isParsecError(root) ? `${root.code}: ` : "";
  return root instanceof Error ? code + root.message : String(root);
}

function listenError(config: NodeConfig, reason: unknown): unknown {
  const { code } = reason as { code?: unknown };
  const { host, port } = config.listen;
  if (code !== "EADDRINUSE" && code !== "EACCES" && code !== "EADDRNOTAVAIL") return reason;
  const why = code === "EADDRINUSE" ? "is in use" : "is not available";
  return new ParsecError(
    "INVALID_ARGUMENT",
    `port ${port}${host === undefined ? "" : ` on ${host}`} ${why}; choose another with --port or PARSEC_LISTEN`,
    { cause: reason },
  );
}
