import { get, remove, set } from "./http-client.ts";
import type { NodeCluster } from "./node-cluster.ts";

/** What a client knows of one key: a value, or undefined after a delete; several where an answer is missing. */
type Known = ReadonlySet<string | undefined>;

/** Clients that set and delete keys through the nodes that run, until they are stopped. */
export interface RestartLoad {
  /** Resolves when each client has had that many more answers. */
  turns(count: number): Promise<void>;
  stop(): Promise<void>;
  /** Keys whose value is none of those that are possible, by all acknowledged operations. Call it while all nodes run. */
  wrong(): Promise<readonly string[]>;
}

const clientCount = 8;
const keysOfClient = 16;
const longTtlSeconds = 3600;

/** Starts the load. Each client has its own keys, so that it knows the last operation of each. */
export function startRestartLoad(cluster: NodeCluster): RestartLoad {
  const known = new Map<string, Known>();
  const answers: number[] = Array.from({ length: clientCount }, () => 0);
  let isStopped = false;

  const urlOf = (turn: number): string | undefined => {
    const nodes = [...cluster.nodes.values()];
    return nodes[turn % nodes.length]?.url;
  };
  const operate = async (url: string, key: string, turn: number): Promise<void> => {
    const isDelete = turn % 5 === 4;
    const value = isDelete ? undefined : `${key} in turn ${turn}`;
    const before = known.get(key) ?? new Set([undefined]);
    // Until it is answered, and if it never is, either may be found.
    known.set(key, new Set([...before, value]));
    const ttl = turn % 3 === 0 ? longTtlSeconds : undefined;
    const answer = await (value === undefined ? remove(url, key) : set(url, key, value, ttl)).catch(
      () => undefined,
    );
    if (answer?.status === 200) known.set(key, new Set([value]));
  };
  const run = async (client: number): Promise<void> => {
    for (let turn = 0; !isStopped; turn++) {
      const url = urlOf(client + turn);
      if (url === undefined) await soon();
      else await operate(url, `client ${client} key ${turn % keysOfClient}`, turn);
      answers[client] = turn + 1;
    }
  };
  const runs = answers.map((_answered, client) => run(client));

  return {
    async turns(count) {
      const goals = answers.map((answered) => answered + count);
      while (goals.some((goal, client) => (answers[client] as number) < goal)) await soon();
    },
    async stop() {
      isStopped = true;
      await Promise.all(runs);
    },
    async wrong() {
      const found = [...known].map(async ([key, possible], at) => {
        const { status, body } = await get(urlOf(at) as string, key);
        const value = status === 404 ? undefined : (body as { value?: string }).value;
        if (possible.has(value) && (status === 200 || status === 404)) return [];
        return [`${key} is ${status} ${value}, not ${[...possible].join(" or ")}`];
      });
      return (await Promise.all(found)).flat();
    },
  };
}

function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
