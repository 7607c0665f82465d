import { ParsecError } from "@parsec/core";
import type { TokenDataSources } from "../sources/token-data-source.ts";
import type { VerifiedToken } from "../trust/verified-token.ts";
import type { ClaimContext, ClaimMapper, MappedClaims } from "./claim-mapper.ts";
import { checkMappedClaim } from "./registered-claims.ts";
import type { RequestAttributes } from "./request-attributes.ts";

/** Whom and what one issuance is about. */
export interface ClaimRequest {
  readonly subject: VerifiedToken;
  readonly actor: VerifiedToken | undefined;
  readonly request: RequestAttributes;
  readonly signal: AbortSignal;
}

/** All mappers, run as one. */
export interface ClaimPipeline {
  /** Rejects with what a mapper or its data source threw, or `INVALID_ARGUMENT` for claims it may not set. */
  run(request: ClaimRequest): Promise<MappedClaims>;
}

/** Throws `INVALID_ARGUMENT` when a mapper lists a data source that does not exist. */
export function createClaimPipeline(
  mappers: readonly ClaimMapper[],
  sources: TokenDataSources | undefined,
): ClaimPipeline {
  const known = sources?.names() ?? [];
  for (const mapper of mappers) {
    for (const name of mapper.dataSources ?? []) {
      if (!known.includes(name)) {
        const list = known.length === 0 ? "there is none" : `there are ${known.join(", ")}`;
        throw new ParsecError(
          "INVALID_ARGUMENT",
          `claim mapper "${mapper.name}" asks for the data source "${name}", but ${list}`,
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
      // Started together, so that sources answer side by side; merged in the order configured.
      const results = await Promise.all(
        mappers.map(async (mapper) => mapper.map(contextFor(mapper, request, fetchOnce))),
      );
      // No prototype: a claim may be called "__proto__" and is a claim like any other.
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
        throw new ParsecError(
          "INVALID_ARGUMENT",
          `claim mapper "${mapper.name}" must list "${name}" in its dataSources to ask it`,
        );
      }
      return (await fetchOnce(name)) as Data | undefined;
    },
  };
}

function addClaims(target: Record<string, unknown>, mapper: ClaimMapper, result: unknown): void {
  if (typeof result !== "object" || result === null || Array.isArray(result)) {
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `claim mapper "${mapper.name}" must return an object of claims`,
    );
  }
  for (const [claim, value] of Object.entries(result)) {
    checkMappedClaim(mapper.name, claim);
    if (value !== undefined) target[claim] = value;
  }
}
