import type { ChildProcess } from "node:child_process";
import type { Plan } from "../plan.ts";
import { endProgram, firstLineOf, startPinned, startProgram } from "../processes/run-program.ts";
import type { RemoteClientTask } from "../programs/remote-client.ts";
import type { RemoteServerTask } from "../programs/remote-server.ts";
import { buildGoPeer } from "../servers/go-peer.ts";
import { startNats } from "../servers/nats-server.ts";
import { startRedis } from "../servers/redis-server.ts";
import type { TransportName } from "../transports/bench-transport.ts";
import { openTransport } from "../transports/open-transport.ts";
import { parsecVersion, versionOf } from "../versions.ts";

/** A server that has the keys in memory, and a way to start a client for it in another process. */
export interface RemoteSubject {
  readonly name: string;
  /** The name for requests of several keys at once. */
  readonly nameOfBatch: string;
  readonly versions: string;
  /** Starts a client as described in `programs/remote-client.ts`. */
  startClient(): ChildProcess;
}

/** Starts the servers for all runs of a suite: Parsec, the bare transport, Redis and golang/groupcache. */
export async function startRemoteSubjects(
  transport: TransportName,
  plan: Plan,
): Promise<{ readonly subjects: readonly RemoteSubject[]; close(): Promise<void> }> {
  const servers: ChildProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(servers.map((server) => endProgram(server)));
  };
  try {
    const subjects = [
      ...(await startOurs(transport, { plan, servers })),
      ...(await startRedisPeer({ plan, servers })),
      ...(await startGroupcache({ plan, servers })),
    ];
    return { subjects, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Starting {
  readonly plan: Plan;
  /** Collects every started process; the caller ends them. */
  readonly servers: ChildProcess[];
}

async function startOurs(
  name: TransportName,
  { plan, servers }: Starting,
): Promise<RemoteSubject[]> {
  const transport = await openTransport(name);
  const nats = transport.needsNats ? await startNats(plan, { core: plan.serverCore }) : undefined;
  if (nats !== undefined) servers.push(nats.process);
  if (transport.needsNats && nats === undefined) {
    plan.say("nats-server is not installed: NATS is left out");
    return [];
  }
  const natsUrl = nats?.url ?? "";
  const natsPids = nats?.process.pid === undefined ? [] : [nats.process.pid];
  // The client has its own core; the server shares the other with the nats-server.
  const place = nats === undefined ? "" : " (nats-server on the owner's core)";
  const natsVersion = nats === undefined ? "" : `, ${nats.version}`;
  const serve = async (task: RemoteServerTask): Promise<{ at: string; pids: number[] }> => {
    const args = [JSON.stringify(task)];
    const child = startProgram("remote-server", { args, core: plan.serverCore });
    servers.push(child);
    const at = await firstLineOf(child, `the ${task.role} of ${name}`);
    return { at, pids: [child.pid ?? 0, ...natsPids] };
  };

  const [ownerId, clientId] = [await transport.newId(1), await transport.newId(2)];
  const members = [ownerId, clientId];
  const owner = await serve({
    role: "owner",
    transport: name,
    place: { id: ownerId, members, natsUrl },
  });
  const bare = await serve({ role: "bare", transport: name, natsUrl });
  const library = { HTTP: "undici", gRPC: "@grpc/grpc-js", NATS: "@nats-io/transport-node" }[name];
  return [
    {
      name: `parsec${place}`,
      nameOfBatch: `parsec getMany${place}`,
      versions: `${parsecVersion()}, ${versionOf(library)}${natsVersion}`,
      startClient: startingClient(plan, {
        subject: "parsec",
        transport: name,
        place: { id: clientId, members, natsUrl },
        serverPids: owner.pids,
      }),
    },
    {
      name: `${transport.bareName}${place}`,
      nameOfBatch: `${transport.bareName}, 100 at once${place}`,
      versions: `${versionOf(library)}${natsVersion}`,
      startClient: startingClient(plan, {
        subject: "bare",
        transport: name,
        target: bare.at,
        serverPids: bare.pids,
      }),
    },
  ];
}

async function startRedisPeer({ plan, servers }: Starting): Promise<RemoteSubject[]> {
  const redis = await startRedis(plan.serverCore);
  if (redis === undefined) {
    plan.say("redis-server is not installed: Redis is left out");
    return [];
  }
  servers.push(redis.process);
  return [
    {
      name: "Redis GET, ioredis with auto-pipelining",
      nameOfBatch: "Redis MGET, ioredis",
      versions: `${versionOf("ioredis")}, ${redis.version}`,
      startClient: startingClient(plan, {
        subject: "redis",
        target: redis.url,
        serverPids: [redis.process.pid ?? 0],
      }),
    },
  ];
}

async function startGroupcache({ plan, servers }: Starting): Promise<RemoteSubject[]> {
  if (plan.smoke) {
    plan.say("golang/groupcache is left out, because its build may take a minute");
    return [];
  }
  const go = buildGoPeer();
  if (go === undefined) {
    plan.say("Go or its module proxy is not available: golang/groupcache is left out");
    return [];
  }
  /** The client's place in the ring; no server listens there, and the client never requests its own keys. */
  const selfUrl = "http://127.0.0.1:1";
  const server = startPinned([go.program, "server", selfUrl], plan.serverCore);
  servers.push(server);
  const url = await firstLineOf(server, "golang/groupcache");
  const args = ["client", url, selfUrl, String(keyCount(plan)), String(server.pid)];
  return [
    {
      name: "golang/groupcache over HTTP",
      nameOfBatch: "golang/groupcache over HTTP, 100 at once",
      versions: go.version,
      startClient: () => startPinned([go.program, ...args], plan.clientCore),
    },
  ];
}

type WithoutKeyCount<Task> = Task extends unknown ? Omit<Task, "keyCount"> : never;

function startingClient(plan: Plan, task: WithoutKeyCount<RemoteClientTask>): () => ChildProcess {
  const args = [JSON.stringify({ ...task, keyCount: keyCount(plan) })];
  return () => startProgram("remote-client", { args, core: plan.clientCore });
}

function keyCount(plan: Plan): number {
  return plan.smoke ? 500 : 10_000;
}
