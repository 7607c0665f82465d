import type { UsersDatabase } from "./users-database.ts";

/** A request to change the roles of a user. */
export interface OfficeRequest {
  readonly subject: string;
  readonly roles: readonly string[] | undefined;
}

/** Changes roles the way an application would: in the database first, then in every cache. */
export type OfficeEndpoint = (
  request: OfficeRequest,
) => Promise<{ readonly status: number; readonly body: unknown }>;

/** Options of `createBackOffice`. */
export interface OfficeOptions {
  readonly users: UsersDatabase;
  /** URLs of the nodes, tried in order until one accepts the invalidation. */
  readonly nodeUrls: readonly string[];
  readonly adminToken: string;
}

/** Creates the endpoint: it updates the database, then invalidates the user through a node's admin endpoint. */
export function createBackOffice(options: OfficeOptions): OfficeEndpoint {
  const { users, nodeUrls, adminToken } = options;
  return async ({ subject, roles }) => {
    if (roles === undefined) {
      const description = "roles must be a form field such as roles=one,two";
      return { status: 400, body: { error: "invalid_request", error_description: description } };
    }
    if (!(await users.setRoles(subject, roles))) {
      return { status: 404, body: { error: "not_found", error_description: "no such user" } };
    }
    for (const url of nodeUrls) {
      const response = await fetch(`${url}/admin/invalidate`, {
        method: "POST",
        headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
        body: JSON.stringify({ source: "users", input: { subject } }),
        signal: AbortSignal.timeout(5_000),
      }).catch(() => undefined);
      if (response?.ok) {
        const result = (await response.json()) as Record<string, unknown>;
        return { status: response.status, body: { subject, roles, ...result } };
      }
    }
    const description = "database changed, but no node accepted the invalidation; retry later";
    return {
      status: 503,
      body: { error: "temporarily_unavailable", error_description: description },
    };
  };
}
