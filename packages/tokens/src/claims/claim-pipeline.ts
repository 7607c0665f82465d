import { describe, invalidArgument } from "@parsec/core/authoring";
import type { TokenDataSources } from "../sources/token-data-source.ts";
import type { VerifiedToken } from "../trust/verified-token.ts";
import type { ClaimContext, ClaimMapper, MappedClaims } from "./claim-mapper.ts";
import { checkMappedClaim } from "./registered-claims.ts";
import type { RequestAttributes } from "./request-attributes.ts";

/** The input of one run of the mappers. */
export interface ClaimRequest {
  readonly subject: VerifiedToken;
  readonly actor: VerifiedToken | undefined;
  readonly request: RequestAttributes;
  readonly signal: AbortSignal;
}

/** Runs all mappers of a token service. */
export interface ClaimPipeline {
  /** Returns the merged claims. Rejects with the error of a mapper or data source, or `INVALID_ARGUMENT` for registered claims. */
  run(request: ClaimRequest): Promise<MappedClaims>;
}

/** Creates the pipeline. Throws `INVALID_ARGUMENT` when a mapper lists a data source that does not exist. */
export function createClaimPipeline(
  mappers: readonly ClaimMapper[],
  sources: TokenDataSources | undefined,
): ClaimPipeline {
  const known = sources?.names() ?? [];
  for (const mapper of mappers) {
    for (const name of mapper.dataSources ?? []) {
      if (!known.includes(name)) {
        const list = known.length === 0 ? "none is registered" : known.join(", ");
        throw invalidArgument(
          `claim mapper "${mapper.name}": dataSources must name registered data sources (${list}), got "${name}"`,
        );
      }
    }
  }

  return {
    async run(request) {
      const fetches = new Map<string, Promise<unknown>>();
      const fetchOnce = (name: string): Promise<unknown> => {
        let fetch = fetches.get(name);
        if (fetch === undefined) {
          const { issuer, subject, claims } = request.subject;
          const input = { issuer, subject, claims };
          fetch = (sources as TokenDataSources).fetch(name, input, { signal: request.signal });
          fetches.set(name, fetch);
        }
        return fetch;
      };
      // Run in parallel, merged in the configured order.
      const results = await Promise.all(
        mappers.map(async (mapper) => mapper.map(contextFor(mapper, request, fetchOnce))),
      );
      // Without prototype, so that "__proto__" is a claim like any other.
      const claims: Record<string, unknown> = Object.create(null);
      for (const [index, mapper] of mappers.entries()) {
        addClaims(claims, mapper, results[index]);
      }
      return claims;
    },
  };
}

function contextFor(
  mapper: ClaimMapper,
  request: ClaimRequest,
  fetchOnce: (name: string) => Promise<unknown>,
): ClaimContext {
  return {
    ...request,
    async dataSource<Data>(name: string): Promise<Data | undefined> {
      if (!mapper.dataSources?.includes(name)) {
        throw invalidArgument(`claim mapper "${mapper.name}": dataSources must list "${name}"`);
      }
      return (await fetchOnce(name)) as Data | undefined;
    },
  };
}

function addClaims(target: Record<string, unknown>, mapper: ClaimMapper, result: unknown): void {
  if (typeof result !== "object" || result === null || Array.isArray(result)) {
    throw invalidArgument(
      `claim mapper "${mapper.name}" must return an object of claims, got ${describe(result)}`,
    );
  }
  for (const [claim, value] of Object.entries(result)) {
    checkMappedClaim(mapper.name, claim);
    if (value !== undefined) target[claim] = value;
  }
}
