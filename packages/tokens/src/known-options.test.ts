import { expect, it } from "vitest";
import {
  createDerivedKeySource,
  createPassthroughMapper,
  createRequestAttributesMapper,
  createStaticKeySource,
  createTokenService,
  createTrustStore,
} from "./index.ts";

const issuer = { issuer: "https://idp.test", audience: "a" };

it.each<[() => unknown, string]>([
  [
    () => createTokenService({ ttl: 5 } as never),
    "ttl is not an option of createTokenService; did you mean ttlMs?",
  ],
  [
    () => createTrustStore({ issuers: [issuer], clockTolerance: 5 } as never),
    "clockTolerance is not an option of createTrustStore; did you mean clockToleranceMs?",
  ],
  [
    () => createTrustStore({ issuers: [{ ...issuer, jwksUri: "x" } as never] }),
    "jwksUri is not an option of issuers[0]; did you mean jwksUrl?",
  ],
  [
    () => createDerivedKeySource({ rotateEvery: 5 } as never),
    "rotateEvery is not an option of createDerivedKeySource; did you mean rotateEveryMs?",
  ],
  [
    () => createStaticKeySource({ jwk: [] } as never),
    "jwk is not an option of createStaticKeySource; did you mean jwks?",
  ],
  [
    () => createPassthroughMapper({ claim: [] } as never),
    "claim is not an option of createPassthroughMapper; did you mean claims?",
  ],
  [
    () => createRequestAttributesMapper({ attribute: [] } as never),
    "attribute is not an option of createRequestAttributesMapper; did you mean attributes?",
  ],
])("rejects an unknown option: %s", (create, message) => {
  expect(create).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", message }));
});
