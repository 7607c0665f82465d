import { ParsecError } from "@parsec/core";
import { subjectCacheInput, subjectCacheKey, type TokenDataSource } from "@parsec/tokens";
import { type DatabasePool, runStatement } from "./database-pool.ts";

/** A row of the users table. */
export interface UserRecord {
  readonly email: string | null;
  readonly roles: readonly string[];
  readonly department: string | null;
}

/**
 * Users from Postgres, with one query per user and cluster. `table` must be a checked identifier, see
 * `PARSEC_USERS_TABLE`; all values are bound. A valid result is exactly one row that repeats issuer and
 * subject, also for an unknown user. Any other result rejects with `ORIGIN_FAILED`, because a token
 * without roles would be worse than none.
 */
export function createUsersSource(pool: DatabasePool, table: string): TokenDataSource<UserRecord> {
  // The casts are only for the echo: the columns may have any type that text converts to.
  // OFFSET 0 keeps the planner from merging the subselect into the join, which has no condition.
  const text = `SELECT asked.issuer AS asked_issuer, asked.subject AS asked_subject, found.*
    FROM (SELECT $3::text AS issuer, $4::text AS subject) AS asked
    LEFT JOIN (
      SELECT true AS is_known, email, roles, department
      FROM ${table} WHERE issuer = $1 AND subject = $2 OFFSET 0
    ) AS found ON true`;
  return {
    name: "users",
    cacheKey: subjectCacheKey,
    cacheInput: subjectCacheInput,
    async fetch({ issuer, subject }, { signal }) {
      const values = [issuer, subject, issuer, subject];
      const [row, ...others] = await runStatement(pool, { text, values }, signal);
      if (row === undefined || row.asked_issuer !== issuer || row.asked_subject !== subject) {
        throw unusable("the result is for another user");
      }
      if (others.length > 0) throw unusable("several rows for one user");
      if (row.is_known !== true) return undefined;
      return {
        email: textOrNull(row.email),
        roles: rolesFrom(row.roles),
        department: textOrNull(row.department),
      };
    },
  };
}

function rolesFrom(value: unknown): readonly string[] {
  if (value === null) return [];
  if (!Array.isArray(value)) throw unusable("the column roles is not an array");
  return value.map(String);
}

function textOrNull(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}

function unusable(what: string): ParsecError {
  return new ParsecError("ORIGIN_FAILED", `users table returned an invalid result: ${what}`);
}
