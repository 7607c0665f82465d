import { once } from "node:events";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { decodeJwt } from "jose";
import { afterEach, expect, test } from "vitest";
import { startFixtureIssuer } from "../test/fixture-issuer.ts";
import { grantType, jwtType } from "../test/token-server.ts";

const folder = fileURLToPath(new URL("../temp/readme/", import.meta.url));
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

test("runs the README's example, which issues a token", async () => {
  const idp = await startFixtureIssuer();
  closing.push(() => idp.close());
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const [, example = ""] = /```ts\n(.*?)```/s.exec(readme) ?? [];
  await mkdir(folder, { recursive: true });
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const file = `${folder}example.ts`;
  await writeFile(
    file,
    example.replace("https://idp.example", idp.issuer).replace("listen(8080)", "listen(0)"),
  );
  const { server } = (await import(/* @vite-ignore */ file)) as { readonly server: Server };
  closing.push(() => server.close());
  if (!server.listening) await once(server, "listening");

  const { port } = server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/v1/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: grantType,
      subject_token: await idp.mint({ aud: "gateway" }),
      subject_token_type: jwtType,
    }),
  });
  expect(response.status).toBe(200);
  const { access_token: token } = (await response.json()) as { access_token: string };
  expect(decodeJwt(token)).toMatchObject({
    iss: "https://tokens.example",
    sub: "alice",
    aud: "https://api.example",
    roles: ["friend of alice"],
  });
});
