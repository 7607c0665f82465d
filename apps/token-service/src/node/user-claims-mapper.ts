import type { ClaimMapper } from "@parsec/tokens";
import type { UserRecord } from "./users-source.ts";

/** Adds the user's roles, email and department to the token. An unknown user gets none of these claims. */
export function createUserClaimsMapper(): ClaimMapper {
  return {
    name: "user claims",
    dataSources: ["users"],
    async map({ dataSource }) {
      const user = await dataSource<UserRecord>("users");
      if (user === undefined) return {};
      return {
        roles: user.roles,
        email: user.email ?? undefined,
        department: user.department ?? undefined,
      };
    },
  };
}
