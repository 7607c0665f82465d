import pg from "pg";

/** A demo user. */
export interface DemoUser {
  readonly subject: string;
  readonly email: string;
  readonly roles: readonly string[];
  readonly department: string;
}

/** The user tables of one run. */
export interface UsersDatabase {
  /** The view that the nodes read; a value for `PARSEC_USERS_TABLE`. */
  readonly table: string;
  /** Number of queries that have read users, as counted by the database. */
  countReads(): Promise<number>;
  /** Changes the roles of a user; false when there is no such user. */
  setRoles(subject: string, roles: readonly string[]): Promise<boolean>;
  /** Drops the tables. Idempotent. */
  close(): Promise<void>;
}

/** The users in the table. */
export const demoUsers: readonly DemoUser[] = [
  { subject: "alice", email: "alice@example.org", roles: ["admin"], department: "engineering" },
  { subject: "bob", email: "bob@example.org", roles: ["viewer"], department: "sales" },
  { subject: "carol", email: "carol@example.org", roles: ["auditor"], department: "finance" },
];

const timeoutMs = 10_000;

/**
 * Creates the users in a new schema. The nodes read a view that advances a sequence once per query, with
 * or without a result, because the subselect does not refer to a row and becomes a one-time filter of the
 * plan. The sequence counts the queries.
 */
export async function createUsersDatabase(
  url: string,
  options: { readonly schema: string; readonly issuer: string },
): Promise<UsersDatabase> {
  const { schema, issuer } = options;
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    application_name: "parsec-supervisor",
  });
  // The next query reports a lost server; without a listener the event would end the process.
  client.on("error", () => {});
  await client.connect();
  await client.query(`
    CREATE SCHEMA ${schema};
    CREATE TABLE ${schema}.user_records (
      issuer text NOT NULL,
      subject text NOT NULL,
      email text,
      roles text[] NOT NULL DEFAULT '{}',
      department text,
      PRIMARY KEY (issuer, subject)
    );
    CREATE SEQUENCE ${schema}.user_reads;
    CREATE VIEW ${schema}.users AS
      SELECT issuer, subject, email, roles, department FROM ${schema}.user_records
      WHERE (SELECT nextval('${schema}.user_reads')) IS NOT NULL;
  `);
  for (const user of demoUsers) {
    await client.query(`INSERT INTO ${schema}.user_records VALUES ($1, $2, $3, $4, $5)`, [
      issuer,
      user.subject,
      user.email,
      user.roles,
      user.department,
    ]);
  }

  let closing: Promise<void> | undefined;
  return {
    table: `${schema}.users`,
    async countReads() {
      const { rows } = await client.query<{ reads: string }>(
        `SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS reads FROM ${schema}.user_reads`,
      );
      return Number(rows[0]?.reads ?? 0);
    },
    async setRoles(subject, roles) {
      const { rowCount } = await client.query(
        `UPDATE ${schema}.user_records SET roles = $3 WHERE issuer = $1 AND subject = $2`,
        [issuer, subject, roles],
      );
      return rowCount === 1;
    },
    close() {
      closing ??= (async () => {
        await client.query(`DROP SCHEMA ${schema} CASCADE`).catch(() => {});
        await client.end().catch(() => {});
      })();
      return closing;
    },
  };
}
