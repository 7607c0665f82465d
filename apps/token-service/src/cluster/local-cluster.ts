import { randomBytes } from "node:crypto";
import { untilAborted } from "@parsec/core/authoring";
import { claimPorts, loopbackHost } from "@parsec/program";
import { createBackOffice } from "./back-office.ts";
import type { ClusterOptions } from "./cluster-options.ts";
import { startEmbeddedPostgres } from "./embedded-postgres.ts";
import { type FixtureIdp, startFixtureIdp } from "./fixture-idp.ts";
import { type NodeProcess, startNodeProcess } from "./node-process.ts";
import { createUsersDatabase, type UsersDatabase } from "./users-database.ts";

/** A cluster on this machine, with its database and identity provider. */
export interface LocalCluster {
  readonly nodes: readonly NodeProcess[];
  readonly idp: FixtureIdp;
  readonly users: UsersDatabase;
  /** URL of the database for display. A given URL is not shown, because it may contain a password. */
  readonly databaseLabel: string;
  readonly audience: string;
  readonly adminToken: string;
  /** Stops the nodes, then the identity provider and the database. Idempotent. */
  close(): Promise<void>;
}

/** Callbacks of a local cluster. */
export interface LocalClusterHooks {
  /** Called with each line of a node's output. */
  readonly onLine: (line: string) => void;
  /** Called when a node ends unexpectedly. */
  readonly onNodeLost: (node: NodeProcess, how: string) => void;
  /** Aborts the start. */
  readonly signal: AbortSignal;
}

/** `aud` of subject tokens, and of the tokens made from them. */
const subjectAudience = "parsec";
const issuedAudience = "https://api.example.org";
const stopGraceMs = 5_000;
const drainMs = 3_000;
const lostNodeDelayMs = 100;

/**
 * Starts the database, the identity provider and the nodes, and resolves when all serve. Rejects with
 * `INVALID_ARGUMENT` for ports in use before anything is started. On any other failure, and when the
 * signal fires, it stops everything and rejects.
 */
export async function startLocalCluster(
  options: ClusterOptions,
  hooks: LocalClusterHooks,
): Promise<LocalCluster> {
  const ports = await claimPorts([
    ...options.nodePorts.map((port) => ({ port, flag: "--port" })),
    { port: options.idpPort, flag: "--idp-port" },
    { port: options.postgresPort, flag: "--postgres-port" },
  ]);
  const nodePorts = ports.slice(0, options.nodePorts.length);
  const [idpPort = 0, postgresPort = 0] = ports.slice(options.nodePorts.length);
  const nodeUrls = nodePorts.map((port) => `http://${loopbackHost}:${port}`);
  const [firstUrl = ""] = nodeUrls;
  const idpUrl = `http://${loopbackHost}:${idpPort}`;
  const adminToken = process.env.PARSEC_ADMIN_TOKEN || randomBytes(24).toString("base64url");

  const opened: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    opened.push(part);
    return part;
  };
  let isClosing = false;
  let closing: Promise<void> | undefined;
  const nodes: NodeProcess[] = [];
  const closeAll = async (): Promise<void> => {
    isClosing = true;
    await Promise.all(nodes.map((node) => node.stop(stopGraceMs)));
    for (const part of opened.reverse()) await part.close();
  };
  const close = (): Promise<void> => {
    closing ??= closeAll();
    return closing;
  };

  try {
    const databaseUrl = options.databaseUrl ?? keep(await startEmbeddedPostgres(postgresPort)).url;
    hooks.signal.throwIfAborted();
    const users = keep(
      await createUsersDatabase(databaseUrl, {
        schema: `parsec_${process.pid}_${randomBytes(4).toString("hex")}`,
        issuer: idpUrl,
      }),
    );
    const office = createBackOffice({ users, nodeUrls, adminToken });
    const idp = keep(await startFixtureIdp({ port: idpPort, audience: subjectAudience, office }));
    hooks.signal.throwIfAborted();
    const shared = {
      PARSEC_PEER_URLS: nodeUrls.join(","),
      PARSEC_ISSUER: firstUrl,
      PARSEC_AUDIENCES: issuedAudience,
      PARSEC_TRUSTED_ISSUER: idp.issuer,
      PARSEC_TRUSTED_JWKS_URL: idp.jwksUrl,
      PARSEC_TRUSTED_AUDIENCE: subjectAudience,
      PARSEC_DATABASE_URL: databaseUrl,
      PARSEC_USERS_TABLE: users.table,
      PARSEC_SIGNING_SECRET: randomBytes(32).toString("base64url"),
      PARSEC_PEER_SECRET: randomBytes(32).toString("base64url"),
      PARSEC_ADMIN_TOKEN: adminToken,
      PARSEC_DRAIN_MS: String(drainMs),
    };
    for (const [index, url] of nodeUrls.entries()) {
      const onLine = (line: string): void => hooks.onLine(`node ${index + 1}: ${line}`);
      const node = startNodeProcess({ url, env: { ...shared, PARSEC_SELF_URL: url }, onLine });
      nodes.push(node);
    }
    await untilAborted(Promise.all(nodes.map((node) => node.ready)), hooks.signal);
    for (const node of nodes) {
      void node.ended.then((how) => {
        // Ctrl-C ends nodes and supervisor at the same time, so wait for that before reporting.
        const report = (): void => {
          if (!isClosing) hooks.onNodeLost(node, how);
        };
        setTimeout(report, lostNodeDelayMs).unref();
      });
    }
    return {
      nodes,
      idp,
      users,
      databaseLabel:
        options.databaseUrl === undefined
          ? `${databaseUrl}  (PGlite, in memory)`
          : "the one given by --database-url",
      audience: issuedAudience,
      adminToken,
      close,
    };
  } catch (reason) {
    await close();
    throw reason;
  }
}
