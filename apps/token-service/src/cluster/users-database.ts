import pg from "pg";

/** A user of the demonstration. */
export interface DemoUser {
  readonly subject: string;
  readonly email: string;
  readonly roles: readonly string[];
  readonly department: string;
}

/** The users' tables of one run. */
export interface UsersDatabase {
  /** What the nodes select from; a value for `PARSEC_USERS_TABLE`. */
  readonly table: string;
  /** How many queries have read users so far, as the database itself counted them. */
  countReads(): Promise<number>;
  /** Changes somebody's roles; false when there is no such user. */
  setRoles(subject: string, roles: readonly string[]): Promise<boolean>;
  /** Drops the tables. Twice is fine. */
  close(): Promise<void>;
}

export const demoUsers: readonly DemoUser[] = [
  { subject: "alice", email: "alice@example.org", roles: ["admin"], department: "engineering" },
  { subject: "bob", email: "bob@example.org", roles: ["viewer"], department: "sales" },
  { subject: "carol", email: "carol@example.org", roles: ["auditor"], department: "finance" },
];

const timeoutMs = 10_000;

/**
 * Creates the users in a schema of their own. The nodes read a view that draws from a sequence once
 * per executed query, found something or not: the subselect without reference to a row becomes a
 * one-time filter of the plan. That is how the database counts what reaches it.
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
  // The server going away is reported by the next query; as an event it would end the process.
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
