import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createMemoryHub } from "@parsec/ring";
import { type BoxOffice, createBoxOffice } from "./box-office.ts";
import { showOf } from "./seat-plan.ts";

/* Box offices that join and leave during the sale. No seat is sold twice, and no sale is lost. */

const { nats } = parseArgs({ options: { nats: { type: "string" } } }).values;
const hub = createMemoryHub();
const platform = `box-office-${randomUUID()}`; // one ring per run
const deadline = AbortSignal.timeout(60_000);
const partitions = 12;
const seatsPerShow = 10;
/** The tickets that customers got: the buyer of each seat. */
const tickets = new Map<string, string>();

const first = await open("node-1");
const second = await open("node-2");
const third = await open("node-3");
await share([first, second, third]);

const [fourth] = await Promise.all([open("node-4"), sell("opera", [first, second, third])]);
await share([first, second, third, fourth]);

await Promise.all([second.ring.leave(), sell("ballet", [first, third, fourth])]);
console.log("node-2 left");
await share([first, third, fourth]);

const held = Array.from({ length: 500 }, (_, number) => `matinee-${number}/1`)
  .filter((seat) => third.ring.ownsKey(showOf(seat)))
  .slice(0, 10);
for (const seat of held) await first.hold(seat, "a buyer who never pays", 2000);
const crash = wait(200).then(() => third.ring.close());
await Promise.all([crash, sell("concert", [first, fourth])]);
console.log("node-3 was closed without a hand-over");
await share([first, fourth]);

for (const seat of held) {
  await until(async () => (await first.hold(seat, "the next buyer", 60_000)) === "held");
  await pay(seat, "the next buyer", first);
}
console.log(`${held.length} seats held on node-3 expired on time and were sold`);

const books = new Map<string, string>();
for (const show of new Set([...tickets.keys()].map(showOf))) {
  for (const [seat, { buyer }] of await fourth.seatsOf(show)) books.set(seat, buyer);
}
const wrong = [...tickets].filter(([seat, buyer]) => books.get(seat) !== buyer);
console.log(`${tickets.size} tickets, ${books.size} seats sold, ${wrong.length} differences`);
if (wrong.length > 0 || books.size !== tickets.size) process.exitCode = 1;

await first.ring.leave();
// No node is left that could take its data.
await fourth.ring.close();

async function open(node: string): Promise<BoxOffice> {
  const meeting = nats === undefined ? seat() : { servers: nats, bucketStorage: "memory" as const };
  const office = createBoxOffice({ platform, node, partitions, ...meeting });
  try {
    // Without a signal, `start` waits until the server is reachable, however long that takes.
    await office.ring.start({ signal: AbortSignal.timeout(10_000) });
  } catch {
    console.error(`${node} cannot join the ring: ${office.ring.state().lastError}`);
    process.exit(1);
  }
  return office;
}

/** The parts of a seat that are options of a ring. */
function seat() {
  const { coordinator, link } = hub.seat();
  return { coordinator, link };
}

/** One customer per office for each seat of 40 shows. One of them gets the seat and pays. */
async function sell(name: string, offices: readonly BoxOffice[]): Promise<void> {
  let turnedAway = 0;
  let sold = 0;
  for (let show = 0; show < 40; show++) {
    const wishes = offices.flatMap((office) =>
      Array.from({ length: seatsPerShow }, async (_, seat) => {
        const wanted = `${name}-${show}/${seat}`;
        const buyer = `customer of ${office.ring.nodeId}`;
        if ((await office.hold(wanted, buyer, 60_000)) === "held") {
          await pay(wanted, buyer, office);
          sold++;
        } else {
          turnedAway++;
        }
      }),
    );
    await Promise.all([...wishes, wait(20)]);
  }
  console.log(`${name}: ${sold} seats sold, ${turnedAway} customers turned away`);
}

async function pay(seat: string, buyer: string, office: BoxOffice): Promise<void> {
  const answer = await office.pay(seat, buyer);
  if (answer !== "sold") throw new Error(`${seat} is ${answer} for ${buyer}`);
  if (tickets.has(seat)) throw new Error(`${seat} was sold twice`);
  tickets.set(seat, buyer);
}

/** Waits until each office owns its share and each partition has its backup. */
async function share(offices: readonly BoxOffice[]): Promise<void> {
  const due = partitions / offices.length;
  await until(() =>
    offices.every(({ ring }) => {
      const { owned, moving, underReplicated, members } = ring.state();
      const isSettled = moving.length === 0 && underReplicated === 0;
      return isSettled && owned.length === due && members.length === offices.length;
    }),
  );
  const names = offices.map(({ ring }) => ring.nodeId).join(", ");
  console.log(`${names}: ${due} of ${partitions} partitions each`);
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await wait(20, undefined, { signal: deadline });
}
