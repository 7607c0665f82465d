import { type RunningProgram, runProgram, waitForOutput } from "@parsec/program/testing";
import pg from "pg";

/** A cluster started by `start.js`, with the addresses that it prints. */
export interface ClusterProgram {
  readonly program: RunningProgram;
  readonly nodes: readonly { readonly url: string; readonly pid: number }[];
  readonly idpUrl: string;
  readonly curlLines: readonly string[];
  /** A connection to the cluster's database; closed by `stop`. */
  readonly database: pg.Client;
  /** Number of queries that have read users, as counted by the database. */
  countReads(): Promise<number>;
  mint(subject: string): Promise<string>;
  /** Sends SIGTERM, and resolves with the exit code or signal. */
  stop(): Promise<number | NodeJS.Signals>;
}

export const adminToken = "an-admin-token-for-tests";

/** Starts `start.js` on free ports and waits until it is ready. */
export async function startClusterProgram(
  options: { readonly detached?: boolean; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<ClusterProgram> {
  const program = runProgram("start", {
    args: ["--port", "0"],
    env: { PARSEC_ADMIN_TOKEN: adminToken, ...options.env },
    detached: options.detached ?? false,
  });
  await waitForOutput(program, /Ctrl-C stops/);
  const output = program.stdout();
  const nodes = [...output.matchAll(/node \d +(http:\S+) +\(pid (\d+)\)/g)].map(
    ([, url = "", pid]) => ({ url, pid: Number(pid) }),
  );
  const idpUrl = /identity provider +(\S+)/.exec(output)?.[1] ?? "";
  const databaseUrl = /database +(\S+)/.exec(output)?.[1] ?? "";
  const database = new pg.Client({ connectionString: databaseUrl });
  database.on("error", () => {});
  await database.connect();
  const { rows } = await database.query<{ schemaname: string }>(
    "SELECT schemaname FROM pg_sequences WHERE sequencename = 'user_reads'",
  );
  const schema = rows[0]?.schemaname;
  return {
    program,
    nodes,
    idpUrl,
    curlLines: output
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line.includes("curl ")),
    database,
    async countReads() {
      const result = await database.query<{ reads: string }>(
        `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS reads FROM ${schema}.user_reads`,
      );
      return Number(result.rows[0]?.reads);
    },
    mint: async (subject) => (await (await fetch(`${idpUrl}/token?sub=${subject}`)).text()).trim(),
    async stop() {
      await database.end().catch(() => {});
      program.kill("SIGTERM");
      return program.ended;
    },
  };
}

/** The body of a token exchange. */
export function exchangeForm(subjectToken: string): URLSearchParams {
  return new URLSearchParams({
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: subjectToken,
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
  });
}

/** Requests a token from a node. */
export function exchangeAt(nodeUrl: string, subjectToken: string): Promise<Response> {
  return fetch(`${nodeUrl}/v1/token`, { method: "POST", body: exchangeForm(subjectToken) });
}
