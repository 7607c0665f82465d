import { CacheCluster, withCacheCluster } from "../clusters/cache-cluster.ts";
import { type Plan, scaled } from "../plan.ts";
import { ChildLines } from "../processes/child-lines.ts";
import { endProgram, firstLineOf, startProgram } from "../processes/run-program.ts";
import type { CacheLoad, CacheLoadFigures, CacheLoadTask } from "../programs/cache-load.ts";
import { type Row, Tally } from "../result.ts";
import { startRedis } from "../servers/redis-server.ts";
import { versionOf } from "../versions.ts";

interface Subject {
  readonly name: string;
  readonly versions: string;
  readonly child: ChildLines;
}

const loads: readonly Pick<CacheLoad, "operation" | "callers">[] = (
  ["set", "get"] as const
).flatMap((operation) => [1, 64, 512].map((callers) => ({ operation, callers })));

/**
 * Sets and gets through any of three nodes, so that two of three requests are forwarded to another node; on a
 * single node; on the bare server; on Redis. The servers, nats-server included, share one core, and the client
 * has the other.
 */
export async function ringLoad(plan: Plan): Promise<Row[]> {
  const tally = new Tally("cache node under load");
  await withCacheCluster(plan, async (cluster) => {
    const alone = new CacheCluster(undefined, plan.serverCore);
    const bare = startProgram("bare-cache", { core: plan.serverCore });
    const redis = await startRedis(plan.serverCore);
    const subjects: Subject[] = [];
    const add = async (
      described: Omit<Subject, "child">,
      task: { subject: "http"; urls: readonly string[] } | { subject: "redis"; url: string },
    ): Promise<void> => {
      const child = startClient(plan, { ...task, keyCount: scaled(plan, 10_000) });
      subjects.push({ ...described, child });
      await child.next();
    };
    try {
      await cluster.start("a", "b", "c");
      await alone.start("alone");
      const { versions } = cluster;
      await add({ name: "parsec, three nodes", versions }, { subject: "http", urls: cluster.urls });
      await add({ name: "parsec, one node", versions }, { subject: "http", urls: alone.urls });
      const undici = versionOf("undici");
      const bareUrl = await firstLineOf(bare, "the bare server");
      await add({ name: "bare node:http", versions: undici }, { subject: "http", urls: [bareUrl] });
      if (redis === undefined) plan.say("redis-server is not installed: Redis is left out");
      else {
        const named = { name: "Redis, ioredis with auto-pipelining", versions: redis.version };
        await add(named, { subject: "redis", url: redis.url });
      }
      for (let run = 0; run < plan.runs; run++) {
        for (const load of loads) await measureAll(subjects, { tally, plan, load });
      }
    } finally {
      await Promise.all(subjects.map(({ child }) => child.end()));
      await alone.close();
      await endProgram(bare);
      if (redis !== undefined) await endProgram(redis.process);
    }
  });
  return tally.rows();
}

async function measureAll(
  subjects: readonly Subject[],
  how: {
    readonly tally: Tally;
    readonly plan: Plan;
    readonly load: Pick<CacheLoad, "operation" | "callers">;
  },
): Promise<void> {
  const { seconds, warmUpSeconds } = how.plan;
  const { operation, callers } = how.load;
  for (const { name: subject, versions, child } of subjects) {
    const asked: CacheLoad = { ...how.load, seconds, warmUpSeconds };
    const { perSecond, p50Us, p99Us } = (await child.ask(asked)) as CacheLoadFigures;
    const label = { subject, versions };
    const name = callers === 1 ? `${operation}, one at a time` : `${operation}, ${callers} at once`;
    how.tally.add({ ...label, case: name, unit: "requests/s" }, perSecond);
    if (callers !== 1) continue;
    how.tally.add({ ...label, case: `${name}, p50`, unit: "µs" }, p50Us);
    how.tally.add({ ...label, case: `${name}, p99`, unit: "µs" }, p99Us);
  }
}

function startClient(plan: Plan, task: CacheLoadTask): ChildLines {
  const args = [JSON.stringify(task)];
  const child = startProgram("cache-load", { args, core: plan.clientCore });
  return new ChildLines(child, `the client of ${task.subject}`);
}
