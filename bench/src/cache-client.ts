import { Pool } from "undici";

/** A client of cache nodes, or of a server with the same endpoints. */
export interface CacheClient {
  /** Rejects unless the status is 200. */
  set(key: string, value: string): Promise<void>;
  get(key: string): Promise<void>;
  close(): Promise<void>;
}

const headers = { "content-type": "application/json" };

/** Sends requests to all `urls` in turn, over at most `connections` connections to each. */
export function createCacheClient(urls: readonly string[], connections: number): CacheClient {
  const pools = urls.map((url) => new Pool(url, { connections }));
  let turn = 0;
  const ask = async (options: Omit<Parameters<Pool["request"]>[0], "origin">): Promise<void> => {
    turn = (turn + 1) % pools.length;
    const { statusCode, body } = await (pools[turn] as Pool).request(options);
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${options.path}: ${statusCode} ${text}`);
    JSON.parse(text);
  };
  return {
    set: (key, value) =>
      ask({ method: "POST", path: "/set", headers, body: JSON.stringify({ key, value }) }),
    get: (key) => ask({ method: "GET", path: `/get?key=${encodeURIComponent(key)}` }),
    async close() {
      await Promise.all(pools.map((pool) => pool.close()));
    },
  };
}
