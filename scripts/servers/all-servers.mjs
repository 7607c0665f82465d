import { nats, natsNewest } from "./nats.mjs";
import { postgres } from "./postgres.mjs";
import { haproxy, nginx, socat } from "./proxies.mjs";
import { redis } from "./redis.mjs";

/** @type {readonly import("./server.d.ts").Server[]} */
export const allServers = [postgres, redis, nats, natsNewest, nginx, haproxy, socat];
