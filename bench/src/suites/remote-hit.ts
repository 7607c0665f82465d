import type { Plan } from "../plan.ts";
import { ChildLines } from "../processes/child-lines.ts";
import type { RemoteFigures, RemoteLoad } from "../programs/remote-client.ts";
import { type Row, Tally } from "../result.ts";
import type { TransportName } from "../transports/bench-transport.ts";
import { type RemoteSubject, startRemoteSubjects } from "./remote-subjects.ts";

/** A load and the name of its figures. */
interface Case {
  readonly name: string;
  readonly callers: number;
  readonly batch: number;
}

const cases: readonly Case[] = [
  { name: "one at a time", callers: 1, batch: 1 },
  { name: "64 callers at once", callers: 64, batch: 1 },
  { name: "512 callers at once", callers: 512, batch: 1 },
  { name: "getMany of 100, one at a time", callers: 1, batch: 100 },
];

/** Hits on another process that owns the keys and has them in memory; client and server have one core each. */
export async function remoteHit(transport: TransportName, plan: Plan): Promise<Row[]> {
  const tally = new Tally(`remote hit over ${transport}`);
  const { subjects, close } = await startRemoteSubjects(transport, plan);
  try {
    for (let run = 0; run < plan.runs; run++) await measureAll(subjects, { tally, plan });
  } finally {
    await close();
  }
  return tally.rows();
}

/** One run: a new client process per subject; the subjects take turns with each load. */
async function measureAll(
  subjects: readonly RemoteSubject[],
  { tally, plan }: { readonly tally: Tally; readonly plan: Plan },
): Promise<void> {
  const clients: { readonly subject: RemoteSubject; readonly child: ChildLines }[] = [];
  try {
    for (const subject of subjects) {
      const child = new ChildLines(subject.startClient(), `the client of ${subject.name}`);
      clients.push({ subject, child });
      await child.next();
    }
    for (const { name, callers, batch } of cases) {
      const { seconds, warmUpSeconds } = plan;
      const load: RemoteLoad = { callers, batch, seconds, warmUpSeconds };
      for (const { subject, child } of clients) {
        const figures = (await child.ask(load)) as RemoteFigures;
        addFigures(tally, { case: { name, callers, batch }, subject, figures });
      }
    }
  } finally {
    await Promise.all(clients.map(({ child }) => child.end()));
  }
}

function addFigures(
  tally: Tally,
  from: {
    readonly case: Case;
    readonly subject: RemoteSubject;
    readonly figures: RemoteFigures;
  },
): void {
  const { case: load, subject, figures } = from;
  const named = {
    subject: load.batch > 1 ? subject.nameOfBatch : subject.name,
    versions: subject.versions,
  };
  if (load.callers === 1 && load.batch === 1) {
    tally.add({ ...named, case: `${load.name}, p50`, unit: "µs" }, figures.p50Us);
  } else tally.add({ ...named, case: load.name, unit: "keys/s" }, figures.perSecond);
  const perKey = { ...named, unit: "µs per key" };
  tally.add({ ...perKey, case: `${load.name}, CPU of the client` }, figures.clientCpuUs);
  tally.add({ ...perKey, case: `${load.name}, CPU of the server` }, figures.serverCpuUs);
}
