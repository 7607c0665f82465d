import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");

it("documents every option in the README", async () => {
  const namesBefore = async (file: string, end: string): Promise<string[]> => {
    const source = await readFile(new URL(file, import.meta.url), "utf8");
    const declared = source.slice(0, source.indexOf(end));
    return [...declared.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, name]) => name as string);
  };
  const kit = "../../core/src/transport/picker";
  const names = [
    ...(await namesBefore("../src/grpc-options.ts", "export interface ResolvedGrpcOptions")),
    ...(await namesBefore(`${kit}/peer-options.ts`, "export interface ResolvedPeerOptions")),
    ...(await namesBefore(`${kit}/url-options.ts`, "export interface ResolvedUrlPeers")),
  ];
  expect(names.length).toBeGreaterThan(25);
  const fields = new Set(["kind", "peerId", "message"]);
  for (const name of names) {
    if (!fields.has(name as string)) expect(readme).toMatch(new RegExp(`\`[^\`]*\\b${name}\\b`));
  }
});
