import { describeFlags, type GivenFlags, parseFlags, parsePort } from "@parsec/program";
import { checkUrl } from "../node/environment.ts";

/** How to run a cluster on this machine. A port of 0 means: any that is free. */
export interface ClusterOptions {
  /** Ports of the nodes. */
  readonly nodePorts: readonly number[];
  readonly idpPort: number;
  readonly postgresPort: number;
  /** An own Postgres instead of the embedded one. */
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
    help: "use this Postgres; the tables get a schema of their own, dropped at the end",
  },
  help: { help: "show this" },
} as const;

/** The text of `--help`. */
export const clusterHelp: string = `Runs three token services that share one cache, with a database and an identity provider.

${describeFlags(clusterFlags)}
`;

/** Reads the flags. Throws `INVALID_ARGUMENT` naming the flag; undefined when help was asked for. */
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
