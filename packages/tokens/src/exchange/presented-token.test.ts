import { decodeProtectedHeader, type JWTPayload } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FixtureHeader } from "../../test/fixture-issuer.ts";
import { jwtType, startTokenServer, type TokenServer, urn } from "../../test/token-server.ts";

const accessType = `${urn}:token-type:access_token`;
const idType = `${urn}:token-type:id_token`;

let server: TokenServer;
beforeEach(async () => {
  server = await startTokenServer();
});
afterEach(() => server.close());

interface Presented {
  readonly type?: string;
  readonly header?: FixtureHeader;
  readonly claims?: JWTPayload;
}

/** "issued", or the error and its description, of the token as subject and as actor. */
async function outcomes({
  type = jwtType,
  header = {},
  claims = {},
}: Presented): Promise<string[]> {
  const token = await server.idp.mint(claims, header);
  const asSubject = { subject_token: token, subject_token_type: type };
  const asActor = { actor_token: token, actor_token_type: type };
  return Promise.all(
    [asSubject, asActor].map(async (change) => {
      const body = (await (await server.ask(change)).json()) as Record<string, string>;
      return body.error === undefined ? "issued" : `${body.error} ${body.error_description}`;
    }),
  );
}

describe("accepts", () => {
  test.each<[string, Presented]>([
    ["a JWT without typ", {}],
    ["a JWT", { header: { typ: "JWT" } }],
    ["a JWT with a media type", { header: { typ: "application/jwt" } }],
    ["an access token as JWT", { header: { typ: "at+jwt" } }],
    ["an access token", { type: accessType, header: { typ: "application/AT+JWT" } }],
    ["an access token without typ", { type: accessType }],
    ["an access token of Keycloak", { type: accessType, claims: { typ: "Bearer", nonce: "x" } }],
    ["an ID token", { type: idType, claims: { at_hash: "x" } }],
    ["an ID token without typ", { type: idType }],
    ["a token with events of its own", { claims: { events: ["opened"] } }],
  ])("%s", async (_name, presented) => {
    expect(await outcomes(presented)).toEqual(["issued", "issued"]);
  });
});

describe("refuses", () => {
  const others = [
    "logout+jwt",
    "secevent+jwt",
    "dpop+jwt",
    "client-authentication+jwt",
    "txntoken+jwt",
    "application/txntoken+jwt",
    "N_A",
    "",
  ];
  const binding = { jkt: "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I" };
  test.each<[string, Presented, RegExp]>([
    ...others.flatMap((typ) =>
      [jwtType, accessType, idType].map((type): [string, Presented, RegExp] => [
        `typ ${JSON.stringify(typ)} as ${type.split(":").at(-1)}`,
        { type, header: { typ } },
        /typ of the header must be/,
      ]),
    ),
    ["an access token as ID token", { type: idType, header: { typ: "at+jwt" } }, /not an ID token/],
    [
      "Keycloak's access token as ID token",
      { type: idType, claims: { typ: "Bearer" } },
      /not an ID/,
    ],
    [
      "an ID token as access token",
      { type: accessType, claims: { at_hash: "x" } },
      /is an ID token/,
    ],
    [
      "Keycloak's ID token as access token",
      { type: accessType, claims: { typ: "ID" } },
      /is an ID/,
    ],
    ["Cognito's ID token", { type: accessType, claims: { token_use: "id" } }, /is an ID token/],
    ["a refresh token", { claims: { typ: "Refresh" } }, /not an access token or an ID token/],
    [
      "a logout token without typ",
      { claims: { events: { "http://schemas.openid.net/event/backchannel-logout": {} } } },
      /not an access token or an ID token/,
    ],
    ["a token bound by DPoP", { claims: { cnf: binding } }, /bound to a key/],
    ["a token bound to a certificate", { claims: { cnf: { "x5t#S256": "x" } } }, /bound to a key/],
    ["a token with an unknown binding", { claims: { cnf: {} } }, /bound to a key/],
  ])("%s", async (_name, presented, reason) => {
    const [subject, actor] = await outcomes(presented);
    expect(subject).toMatch(/^invalid_request subject_token: /);
    expect(subject).toMatch(reason);
    expect(actor).toMatch(/^invalid_request actor_token: /);
    expect(actor).toMatch(reason);
  });

  test("a request for a bound token, rather than ignoring its proof", async () => {
    const response = await server.post(
      { subject_token: await server.idp.mint() },
      { headers: { "content-type": "application/x-www-form-urlencoded", dpop: "x.y.z" } },
    );
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: "invalid_request" });
  });

  test("a chain of more than eight actors", async () => {
    let act: JWTPayload | undefined;
    for (let depth = 0; depth < 7; depth += 1) act = { sub: `a${depth}`, ...(act && { act }) };
    expect((await server.ask({}, { act })).status).toBe(200);
    const longer = await server.ask({}, { act: { sub: "one more", act } });
    expect(await longer.json()).toMatchObject({ error: "invalid_request" });
  });
});

describe("the type and client_id of the issued token", () => {
  const clients = [{ id: "billing", secret: "s3cret" }];
  const typOf = async (response: Response): Promise<[string | undefined, unknown]> => {
    const { access_token: token } = (await response.json()) as { access_token: string };
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    return [decodeProtectedHeader(token).typ, (claims as JWTPayload).client_id];
  };

  test("are at+jwt with the authenticated client", async () => {
    await server.close();
    server = await startTokenServer({ clients });
    const known = { client_id: "billing", client_secret: "s3cret" };
    expect(await typOf(await server.ask(known))).toEqual(["at+jwt", "billing"]);
    const asJwt = { ...known, requested_token_type: jwtType };
    expect(await typOf(await server.ask(asJwt))).toEqual(["JWT", "billing"]);
  });

  test("are JWT without a client, whatever the request and the subject token claim", async () => {
    const claims = { client_id: "billing", azp: "billing" };
    const requests = [{}, { client_id: "billing" }, { requested_token_type: accessType }];
    for (const request of requests) {
      expect(await typOf(await server.ask(request, claims))).toEqual(["JWT", undefined]);
    }
    await server.close();
    server = await startTokenServer({ clients, allowUnregistered: true });
    expect(await typOf(await server.ask({ client_id: "app" }))).toEqual(["JWT", undefined]);
  });
});
