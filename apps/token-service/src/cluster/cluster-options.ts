import { describeFlags, type GivenFlags, parseFlags, parsePort } from "@parsec/program";
import { checkUrl } from "../node/environment.ts";

/** Options of a local cluster. Port 0 means any free port. */
export interface ClusterOptions {
  /** Ports of the nodes. */
  readonly nodePorts: readonly number[];
  readonly idpPort: number;
  readonly postgresPort: number;
  /** URL of a Postgres to use instead of the embedded one. */
  readonly databaseUrl: string | undefined;
}

export const nodeCount = 3;
const defaultPort = 8081;

/** Flags of the `start` command. */
export const clusterFlags = {
  port: { value: "<port>", help: "first of three ports for the nodes (8081); 0 takes free ones" },
  "idp-port": { value: "<port>", help: "port of the identity provider (the one after the nodes)" },
  "postgres-port": { value: "<port>", help: "port of the embedded Postgres (a free one)" },
  "database-url": {
    value: "<url>",
    help: "use this Postgres; the tables get their own schema, dropped at the end",
  },
  help: { help: "show this" },
} as const;

/** The text of `--help`. */
export const clusterHelp: string = `Runs three token services that share one cache, with a database and an identity provider.

${describeFlags(clusterFlags)}
`;

/** Parses the flags; undefined for `--help`. Throws `INVALID_ARGUMENT` with the flag and the rule. */
export function clusterOptionsFromFlags(args: readonly string[]): ClusterOptions | undefined {
  const given: GivenFlags<keyof typeof clusterFlags> = parseFlags(args, clusterFlags);
  if (given.help !== undefined) return undefined;
  const first = parsePort("--port", given.port ?? String(defaultPort));
  const nodePorts = Array.from({ length: nodeCount }, (_, index) =>
    first === 0 ? 0 : parsePort("--port", String(first + index)),
  );
  const nextPort = first === 0 ? 0 : Math.min(first + nodeCount, 65_535);
  return {
    nodePorts,
    idpPort: parsePort("--idp-port", given["idp-port"] ?? String(nextPort)),
    postgresPort: parsePort("--postgres-port", given["postgres-port"] ?? "0"),
    databaseUrl:
      given["database-url"] === undefined
        ? undefined
        : checkUrl("--database-url", given["database-url"], ["postgres:", "postgresql:"]),
  };
}
