import { subjectCacheInput, subjectCacheKey, type TokenDataSource } from "@parsec/tokens";
import { type DatabasePool, runStatement } from "./database-pool.ts";

/** What the users table knows of somebody. */
export interface UserRecord {
  readonly email: string | null;
  readonly roles: readonly string[];
  readonly department: string | null;
}

/**
 * Users from Postgres, one query per user and cluster. `table` must be a checked identifier, see
 * `PARSEC_USERS_TABLE`; everything else is bound.
 */
export function createUsersSource(pool: DatabasePool, table: string): TokenDataSource<UserRecord> {
  const text = `SELECT email, roles, department FROM ${table} WHERE issuer = $1 AND subject = $2`;
  return {
    name: "users",
    cacheKey: subjectCacheKey,
    cacheInput: subjectCacheInput,
    async fetch({ issuer, subject }, { signal }) {
      const rows = await runStatement(pool, { text, values: [issuer, subject] }, signal);
      const [row] = rows;
      if (row === undefined) return undefined;
      return {
        email: textOrNull(row.email),
        roles: Array.isArray(row.roles) ? row.roles.map(String) : [],
        department: textOrNull(row.department),
      };
    },
  };
}

function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}
