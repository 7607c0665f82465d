import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer, Server } from "node:net";
import { format } from "node:util";
import { onTestFinished, vi } from "vitest";

const folder = new URL("../temp/programs/", import.meta.url);
/** Ports that programs name, but for that of a NATS server, and variables that they say to have. */
const portPattern = /(?<=127\.0\.0\.1:|10\.0\.0\.\d:|listen\()(?!4222\b)\d{4,5}\b/g;
const variablePattern = /^\/\/ (?<name>PARSEC_\w+)=(?<value>\S+)$/gm;
const outputPattern = /^console\.log\(.*\); \/\/ (.*)$/gm;

/** What a program says in comments that it prints. */
export function promisedOutput(code: string): string[] {
  return [...code.matchAll(outputPattern)].map(([, text]) => text as string);
}

/**
 * Runs a program as it stands, but with free ports, the variables that its comments name, and the
 * given replacements. Resolves to the lines that it prints. Servers that it leaves open are closed.
 */
export async function runProgram(
  code: string,
  replacements: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const ports = new Map<string, string>();
  for (const port of code.match(portPattern) ?? []) ports.set(port, String(await freePort()));
  let program = code.replaceAll(portPattern, (port) => ports.get(port) as string);
  for (const [text, replacement] of Object.entries(replacements)) {
    if (!program.includes(text)) throw new Error(`the program does not contain ${text}`);
    program = program.replaceAll(text, replacement);
  }
  for (const { groups } of program.matchAll(variablePattern)) {
    vi.stubEnv(groups?.name as string, groups?.value);
  }
  const file = new URL(`${process.pid}-${Math.random().toString(36).slice(2)}.ts`, folder);
  await mkdir(folder, { recursive: true });
  await writeFile(file, program);
  const listen = vi.spyOn(Server.prototype, "listen");
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  onTestFinished(async () => {
    for (const server of listen.mock.contexts) (server as Server).close();
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    await rm(file, { force: true });
  });
  await import(/* @vite-ignore */ file.href);
  return log.mock.calls.map((values) => format(...values));
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
