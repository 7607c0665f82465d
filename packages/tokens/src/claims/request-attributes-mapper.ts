import { knownOptions } from "@parsec/core/authoring";
import type { ClaimMapper } from "./claim-mapper.ts";
import { checkMappedClaim } from "./registered-claims.ts";

/** Request attributes that can be copied into a token. */
export type CopiedAttribute = "method" | "path" | "ipAddress" | "userAgent";

/** Their names in the claim. */
const claimNames: Readonly<Record<CopiedAttribute, string>> = {
  method: "method",
  path: "path",
  ipAddress: "ip_address",
  userAgent: "user_agent",
};

/** Options of {@link createRequestAttributesMapper}. */
export interface RequestAttributesMapperOptions {
  /** The attributes to copy. Those that the request does not have are omitted. */
  readonly attributes: readonly CopiedAttribute[];
  /** The claim that holds them as an object. Defaults to `rctx`, the name in the OAuth Transaction Tokens draft. */
  readonly claim?: string;
}

/** Copies attributes of the request into one claim. Throws `INVALID_ARGUMENT` for a registered claim. */
export function createRequestAttributesMapper(
  options: RequestAttributesMapperOptions,
): ClaimMapper {
  knownOptions("createRequestAttributesMapper", options, { attributes: 1, claim: 1 });
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
