import type { ChildProcess } from "node:child_process";
import { buildGoPeer } from "../go-peer.ts";
import { startRedis } from "../redis-server.ts";
import { compare, type Row, type Subject } from "../result.ts";
import { endProgram, firstLineOf, outputOf, startPinned, startProgram } from "../run-program.ts";

const suite = "remote hit over HTTP";
const seconds = 2;
const serverCore = 0;
const clientCore = 1;
/** In the ring as the asking node; nobody listens there, and its own keys are not asked for. */
const clientUrl = "http://127.0.0.1:1";

interface Figures {
  readonly perSecond: number;
  readonly p50Us: number;
}

/** A key that another process owns and has in memory: one core for the owner, one for the asker. */
export async function remoteHit(runs: number, say: (line: string) => void): Promise<Row[]> {
  const servers: ChildProcess[] = [];
  const started = async (child: ChildProcess, name: string): Promise<string> => {
    servers.push(child);
    return await firstLineOf(child, name);
  };
  try {
    const owner = await started(
      startProgram("remote-server", { core: serverCore, args: ["parsec", clientUrl] }),
      "the owner",
    );
    const bare = await started(
      startProgram("remote-server", { core: serverCore, args: ["bare"] }),
      "the bare server",
    );
    const asking: { name: string; ask: (callers: number) => Promise<Figures> }[] = [
      { name: "parsec", ask: askFromNode("parsec", owner) },
      { name: "bare undici request to node:http", ask: askFromNode("undici", bare) },
    ];

    const redis = await startRedis(serverCore);
    if (redis === undefined) say("no redis-server on this machine: left out");
    else {
      servers.push(redis.process);
      asking.push({
        name: "Redis GET, ioredis with auto-pipelining",
        ask: askFromNode("redis", redis.url),
      });
    }

    const go = await buildGoPeer();
    if (go === undefined) say("no Go toolchain or no module proxy: golang/groupcache left out");
    else {
      const url = await started(
        startPinned([go, "server", clientUrl], serverCore),
        "golang/groupcache",
      );
      asking.push({
        name: "golang/groupcache",
        async ask(callers) {
          const args = [go, "client", url, clientUrl, String(callers), String(seconds)];
          return JSON.parse(
            await outputOf(startPinned(args, clientCore), "golang/groupcache client"),
          ) as Figures;
        },
      });
    }

    const rows: Row[] = [];
    for (const callers of [1, 64, 512]) {
      const alone = callers === 1;
      const label = {
        suite,
        case: alone ? "one at a time, p50" : `${callers} callers at once`,
        unit: alone ? "µs" : "keys/s",
      };
      const subjects = asking.map(
        ({ name, ask }): Subject => ({
          name,
          async run() {
            const figures = await ask(callers);
            return alone ? figures.p50Us : figures.perSecond;
          },
        }),
      );
      rows.push(...(await compare(label, { runs, subjects })));
    }
    return rows;
  } finally {
    await Promise.all(servers.map(endProgram));
  }
}

function askFromNode(subject: string, url: string): (callers: number) => Promise<Figures> {
  return async (callers) => {
    const args = [subject, url, String(callers), String(seconds), clientUrl];
    const child = startProgram("remote-client", { core: clientCore, args });
    return JSON.parse(await outputOf(child, `${subject} client`)) as Figures;
  };
}
