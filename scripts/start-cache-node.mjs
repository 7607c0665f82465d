// Builds apps/cache-node and starts three nodes of it; one with --node or --http. Where there is no nats-server
// yet for three, it is installed first as `pnpm test` would do it; where it cannot be, the program itself says
// what to do.
import { interruptible } from "./processes/interruptible.mjs";
import { buildQuietly } from "./processes/quiet-build.mjs";
import { nats, natsNewest } from "./servers/nats.mjs";
import { installServer } from "./servers/start-server.mjs";

const { PARSEC_NATS, PARSEC_NATS_SERVER } = process.env;
/** @param {RegExp} names */
const isGiven = (names) => process.argv.some((arg) => names.test(arg));
const isOneNode = process.argv[2] === "check" || isGiven(/^--?(node|http|version)(=|$)/);
const needsNone = isOneNode || isGiven(/^--?(nats|help)(=|$)/);

const { signal, release } = interruptible();
const isBuilt = await buildQuietly({ signal, packages: ["@parsec/cache-node"] });
if (!isBuilt && !signal.aborted) process.exit(1);
if (!PARSEC_NATS && !PARSEC_NATS_SERVER && !needsNone) {
  const program = await findOrInstall(signal);
  if (program !== undefined) process.env.PARSEC_NATS_SERVER = program;
}
if (signal.aborted) process.exit(0);
release();
const program = `../apps/cache-node/dist/${isOneNode ? "node" : "start"}.js`;
await import(new URL(program, import.meta.url).href);

/** @param {AbortSignal} signal */
async function findOrInstall(signal) {
  for (const server of [nats, natsNewest]) {
    const program = await server.find();
    if (program !== undefined) return program;
  }
  for (const server of [nats, natsNewest]) {
    if (signal.aborted) return undefined;
    const program = await installServer(server, { log: console.error, signal });
    if (program !== undefined) return program;
  }
  return undefined;
}
