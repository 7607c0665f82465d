import type { ClaimMapper } from "./claim-mapper.ts";
import { checkMappedClaim } from "./registered-claims.ts";

/** Attributes that can become part of a token. */
export type CopiedAttribute = "method" | "path" | "ipAddress" | "userAgent";

/** What they are called there. */
const claimNames: Readonly<Record<CopiedAttribute, string>> = {
  method: "method",
  path: "path",
  ipAddress: "ip_address",
  userAgent: "user_agent",
};

/** Options of {@link createRequestAttributesMapper}. */
export interface RequestAttributesMapperOptions {
  /** Which to copy; what the request does not have is left out. */
  readonly attributes: readonly CopiedAttribute[];
  /** The claim that holds them as an object. Defaults to `rctx`, as the transaction token draft calls it. */
  readonly claim?: string;
}

/** Copies attributes of the request into one claim. Throws `INVALID_ARGUMENT` for a registered claim. */
export function createRequestAttributesMapper(
  options: RequestAttributesMapperOptions,
): ClaimMapper {
  const name = "request attributes";
  const claim = options.claim ?? "rctx";
  const attributes = [...options.attributes];
  checkMappedClaim(name, claim);
  return {
    name,
    map({ request }) {
      const present = attributes.filter((attribute) => request[attribute] !== undefined);
      if (present.length === 0) return {};
      return {
        [claim]: Object.fromEntries(present.map((key) => [claimNames[key], request[key]])),
      };
    },
  };
}
