import type { ClaimMapper } from "@parsec/tokens";
import type { UserRecord } from "./users-source.ts";

/** Puts the user's record into the token; a user the table does not know gets no such claims. */
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
