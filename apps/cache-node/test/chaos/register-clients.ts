import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import type { RegisterOperation } from "@parsec/testkit";
import { vi } from "vitest";
import type { ChaosNode } from "./chaos-node.ts";
import { machineNowMs } from "./service-note.ts";
import { giveUpMs, soon } from "./soon.ts";

/** Clients that write, read and remove keys through all nodes at once, and note what they see. */
export interface RegisterClients {
  readonly keys: readonly string[];
  readonly history: readonly RegisterOperation[];
  /** How many operations were acknowledged so far. */
  readonly acknowledged: number;
  /** Answers that should never come, such as a 400: at most a few of them. */
  readonly surprises: readonly string[];
  /** How many failed, by what was said. */
  readonly failures: ReadonlyMap<string, number>;
  /** Waits until so many more were acknowledged. */
  proceed(count: number): Promise<void>;
  /**
   * Starts clients that request these keys almost without a pause, through nodes that are not `avoided` where there
   * are others. Returns a handle that ends them, once each key was read and written again.
   */
  watch(keys: readonly string[], options: { readonly avoided: readonly string[] }): FaultWatch;
  stop(): Promise<void>;
  /** Reads every key through every node, after `stop`; rejects when one cannot be read. */
  readAll(): Promise<void>;
}

/** See {@link RegisterClients.watch}. */
export interface FaultWatch {
  end(): Promise<void>;
}

export interface RegisterClientsOptions {
  readonly nodes: ReadonlyMap<string, ChaosNode>;
  readonly random: () => number;
  readonly clientCount: number;
  readonly keyCount: number;
  /** How long a client rests between two operations. */
  readonly restMs: number;
  /** Whether keys are removed as well. A remove without an answer may explain a value that was lost. */
  readonly hasDeletes: boolean;
}

type Plan =
  | { readonly kind: "get" | "delete"; readonly key: string }
  | { readonly kind: "set"; readonly key: string; readonly value: string };

interface Answer {
  readonly status: number;
  readonly body: {
    readonly found?: boolean;
    readonly value?: string;
    readonly deleted?: boolean;
    readonly node?: string;
    readonly code?: string;
    readonly error?: string;
  };
}

/** A client gives up sooner than a node does, so that some requests are left to themselves. */
const patienceMs = 3000;
/** How long all leave a node alone that did not answer. */
const avoidMs = 700;
/** Pause of a client that watches a key, which is the precision of its measurements. */
const watchRestMs = { acknowledged: 10, failed: 25 } as const;

export function startRegisterClients(options: RegisterClientsOptions): RegisterClients {
  const { nodes, random, clientCount, keyCount, restMs, hasDeletes } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: clientCount });
  const keys = Array.from({ length: keyCount }, (_, index) => `k${index}`);
  const history: RegisterOperation[] = [];
  const surprises: string[] = [];
  const failures = new Map<string, number>();
  const avoided = new Map<string, number>();
  let acknowledged = 0;
  let written = 0;
  let stopped = false;

  const plan = (): Plan => {
    const key = `k${Math.floor(random() * keyCount)}`;
    const pick = random();
    if (pick < 0.5) return { kind: "get", key };
    if (pick < 0.6) return { kind: hasDeletes ? "delete" : "get", key };
    return { kind: "set", key, value: `v${++written}` };
  };
  const chooseNode = (others: readonly string[] = []): ChaosNode | undefined => {
    const now = machineNowMs();
    const running = [...nodes.values()];
    const unharmed = running.filter(({ name }) => !others.includes(name));
    const all = unharmed.length > 0 ? unharmed : running;
    const heard = all.filter(({ url }) => (avoided.get(url) ?? 0) <= now);
    const among = heard.length > 0 ? heard : all;
    return among[Math.floor(random() * among.length)];
  };
  const fail = (how: string): void => {
    failures.set(how, (failures.get(how) ?? 0) + 1);
  };

  const perform = async (
    planned: Plan,
    { client, node }: { readonly client: string; readonly node: ChaosNode },
  ): Promise<boolean> => {
    const startedAt = machineNowMs();
    const noted = (
      endedAt: number | undefined,
      { ok, by = "?" }: { readonly ok: boolean; readonly by?: string },
    ) => ({ client: `${client} through ${node.id}, ${by}`, startedAt, endedAt, ok });
    const note = (
      interval: ReturnType<typeof noted>,
      seen: { readonly value?: string | undefined; readonly found?: boolean | undefined } = {},
    ): void => {
      const { kind, key } = planned;
      if (kind === "set") history.push({ ...interval, kind, key, value: planned.value });
      else if (kind === "get") history.push({ ...interval, kind, key, value: seen.value });
      else history.push({ ...interval, kind, key, found: seen.found });
    };
    try {
      const { status, body } = await send(agent, { node, planned });
      const endedAt = machineNowMs();
      const { found, value, deleted, node: by = "?", code = "none" } = body;
      const isAnswer = status === 200 || (status === 404 && found === false);
      if (isAnswer) {
        acknowledged++;
        note(noted(endedAt, { ok: true, by }), { value, found: deleted });
        return true;
      }
      if (status < 500 || code === "INTERNAL") {
        surprises.push(`${planned.kind} ${planned.key}: ${status} ${JSON.stringify(body)}`);
      }
      fail(`${status} ${code}`);
      note(noted(undefined, { ok: false }));
    } catch (error) {
      const { code = "none" } = error as { readonly code?: string };
      fail(code);
      avoided.set(node.url, machineNowMs() + avoidMs);
      // Nobody was there to hear of it.
      note(noted(code === "ECONNREFUSED" ? machineNowMs() : undefined, { ok: false }));
    }
    return false;
  };

  const run = async (client: string): Promise<void> => {
    while (!stopped) {
      const node = chooseNode();
      if (node !== undefined) await perform(plan(), { client, node });
      await pause(restMs * (0.5 + random()));
    }
  };
  const running = Array.from({ length: clientCount }, (_, index) => run(`c${index}`));

  return {
    keys,
    history,
    get acknowledged() {
      return acknowledged;
    },
    surprises,
    failures,
    async proceed(count) {
      const goal = acknowledged + count;
      await vi.waitFor(
        () => {
          if (acknowledged >= goal) return;
          const told = JSON.stringify([...failures]);
          throw new Error(`waited for ${goal - acknowledged} more answers; failures ${told}`);
        },
        { timeout: giveUpMs, interval: 25 },
      );
    },
    watch(watched, { avoided: others }) {
      let isOver = false;
      const ask = async (key: string, kind: "get" | "set"): Promise<void> => {
        for (let isLast = false; !stopped && !isLast; ) {
          const isEnding = isOver;
          const planned: Plan =
            kind === "get" ? { kind, key } : { kind, key, value: `v${++written}` };
          const node = chooseNode(others);
          const isDone =
            node !== undefined && (await perform(planned, { client: "watcher", node }));
          isLast = isEnding && isDone;
          await pause(isDone ? watchRestMs.acknowledged : watchRestMs.failed);
        }
      };
      const asking = Promise.all(watched.flatMap((key) => [ask(key, "get"), ask(key, "set")]));
      return {
        async end() {
          isOver = true;
          await soon(asking, "each key is to be read and written again");
        },
      };
    },
    async stop() {
      stopped = true;
      await Promise.all(running);
    },
    async readAll() {
      for (const node of nodes.values()) {
        for (const key of keys) {
          const wasRead = await perform({ kind: "get", key }, { client: "reader", node });
          if (!wasRead) throw new Error(`${key} cannot be read through ${node.id}`);
        }
      }
      agent.destroy();
    },
  };
}

function send(
  agent: Agent,
  { node, planned }: { readonly node: ChaosNode; readonly planned: Plan },
): Promise<Answer> {
  const { kind, key } = planned;
  const body = kind === "set" ? JSON.stringify({ key, value: planned.value }) : undefined;
  const [method, path] =
    kind === "set" ? ["POST", "/set"] : [kind === "get" ? "GET" : "DELETE", `/${kind}?key=${key}`];
  return new Promise((resolve, reject) => {
    const sent = request(
      `${node.url}${path}`,
      {
        method,
        agent,
        signal: AbortSignal.timeout(patienceMs),
        headers: body === undefined ? {} : { "content-type": "application/json" },
      },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () => {
          try {
            const text = Buffer.concat(chunks).toString("utf8");
            resolve({ status: answer.statusCode ?? 0, body: JSON.parse(text) });
          } catch (error) {
            reject(error);
          }
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}
