import { captionOf } from "./caption.ts";
import type { Bar, Chart } from "./chart.ts";
import { type MeasuredRow, MeasuredRows } from "./measured-rows.ts";

const transports = ["HTTP", "gRPC", "NATS"] as const;

type Draft = Omit<Chart, "caption">;

/** All charts that these results have figures for, two and two as they stand side by side. */
export function chartsOf(rows: readonly MeasuredRow[]): Chart[] {
  return [hit, invalidation, remoteHitAlone, remoteHitAtOnce, stampede, failover].flatMap(
    (draft) => {
      const measured = new MeasuredRows(rows);
      const chart = draft(measured);
      const groups = chart.groups.filter((group) => group.length > 0);
      if (!groups.flat().some(({ isParsec }) => isParsec)) return [];
      return [{ ...chart, groups, caption: captionOf(measured.used, groups.flat()) }];
    },
  );
}

function hit(rows: MeasuredRows): Draft {
  const suite = "local hit";
  const awaited = (label: string, subject: string): Bar[] =>
    rows.bar(label, { suite, case: "in memory, awaited", subject });
  const synchronous = (label: string, subject: string): Bar[] =>
    rows.bar(label, { suite, case: "in memory, synchronous", subject });
  return {
    name: "hit",
    title: "A hit in memory",
    subtitle: "ns per hit; shorter is better",
    unit: "ns",
    groups: [
      [
        ...awaited("Parsec get, awaited", "parsec get"),
        ...awaited("lru-cache fetch, awaited", "lru-cache fetch"),
        ...awaited("async-cache-dedupe, awaited", "async-cache-dedupe"),
        ...awaited("cacheable get, awaited", "cacheable get"),
        ...awaited("bentocache getOrSet, awaited", "bentocache getOrSet"),
      ],
      [
        ...synchronous("Parsec peek, synchronous", "parsec peek"),
        ...synchronous("lru-cache get, synchronous", "lru-cache get"),
      ],
    ],
  };
}

function invalidation(rows: MeasuredRows): Draft {
  const suite = "invalidation on three nodes";
  return {
    name: "invalidation",
    title: "An invalidation applied on three nodes",
    subtitle: "ms per invalidation, one at a time; shorter is better",
    unit: "ms",
    groups: transports.map((name) =>
      ["p50", "p99"].flatMap((quantile) =>
        rows.bar(`Parsec over ${name}, ${quantile}`, {
          suite,
          case: `one at a time, ${quantile}`,
          subject: `parsec over ${name}`,
        }),
      ),
    ),
  };
}

function remoteHitAlone(rows: MeasuredRows): Draft {
  return {
    name: "remote-hit-one-at-a-time",
    title: "A hit on another node, one at a time",
    subtitle: "µs per hit, p50; shorter is better",
    unit: "µs",
    groups: remoteHit(rows, "one at a time, p50"),
  };
}

function remoteHitAtOnce(rows: MeasuredRows): Draft {
  return {
    name: "remote-hit-512-callers",
    title: "Hits on another node, 512 callers at once",
    subtitle: "keys per second, one core for each side; longer is better",
    unit: "/s",
    groups: remoteHit(rows, "512 callers at once"),
  };
}

function remoteHit(rows: MeasuredRows, name: string): Bar[][] {
  const bare = {
    HTTP: "undici and node:http, one key per request",
    gRPC: "grpc-js, one key per message",
    NATS: "NATS, one key per message",
  };
  return [
    ...transports.map((transport) => {
      const suite = `remote hit over ${transport}`;
      return [
        ...rows.bar(`Parsec over ${transport}`, { suite, case: name, subject: "parsec" }),
        ...rows.bar(bare[transport], { suite, case: name, subject: "bare" }),
      ];
    }),
    [
      ...rows.bar("Redis GET by ioredis", { suite: "remote hit", case: name, subject: "Redis" }),
      ...rows.bar("golang/groupcache", { suite: "remote hit", case: name, subject: "golang" }),
    ],
  ];
}

function stampede(rows: MeasuredRows): Draft {
  const at = { suite: "stampede", case: "10,000 callers on three nodes, one cold key" };
  const originMs = 50;
  return {
    name: "stampede",
    title: "Stampede: 10,000 callers, one cold key",
    subtitle: "ms until the last caller on three nodes has it; shorter is better",
    unit: "ms",
    reference: { value: originMs, label: `the origin alone: ${originMs} ms` },
    groups: transports.map((name) => {
      const subject = `parsec over ${name}`;
      const fetches = rows.bar("", { ...at, subject, unit: "origin fetches" })[0]?.max;
      return rows.bar(`Parsec over ${name}`, {
        ...at,
        subject,
        unit: `ms for the slowest caller, with an origin of ${originMs} ms`,
        ...(fetches !== undefined && { note: `${fetches} ${fetches === 1 ? "fetch" : "fetches"}` }),
      });
    }),
  };
}

function failover(rows: MeasuredRows): Draft {
  const planned = (label: string, subject: string): Bar[] =>
    rows.bar(label, { suite: "planned moves of the ring", case: "slowest answer, p99", subject });
  const killed = (label: string, subject: string): Bar[] =>
    rows.bar(label, { suite: "SIGKILL of one of three nodes", case: "served again, p99", subject });
  const ours = (bars: readonly Bar[]): Bar[] => bars.map((bar) => ({ ...bar, isParsec: true }));
  return {
    name: "failover",
    title: "Failover: the longest wait for a key",
    subtitle: "ms, p99 over the partitions of a ring; shorter is better",
    unit: "ms",
    groups: [
      planned("while nothing changes", "no change"),
      ours([
        ...planned("while a node leaves (SIGTERM)", "leave"),
        ...planned("while a node joins", "join"),
        ...killed("after a node is killed (SIGKILL), first read", "first read"),
        ...killed("after a node is killed (SIGKILL), first write", "first write"),
      ]),
    ],
  };
}
