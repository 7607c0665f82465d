import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { compare, type Row, type Subject } from "../result.ts";
import { endProgram, startProgram } from "../run-program.ts";

const suite = "stampede";
const nodes = 3;
const callersPerNode = 3_334;

/** Ten thousand callers on three processes ask for one cold key whose origin takes 50 ms. */
export async function stampede(runs: number): Promise<Row[]> {
  const processes = Array.from({ length: nodes }, () => startProgram("stampede-node"));
  const cluster = processes.map((child) => new Line(child));
  try {
    const peerUrls = await Promise.all(cluster.map((node) => node.next()));
    for (const node of cluster) node.send({ peerUrls });
    await Promise.all(cluster.map((node) => node.next()));
    let serial = 0;
    const slowest: number[] = [];
    const fetching: Subject = {
      name: "parsec",
      async run() {
        const key = `cold:${serial++}`;
        for (const node of cluster) node.send({ key, callers: callersPerNode });
        const results = await Promise.all(
          cluster.map(
            async (node) => JSON.parse(await node.next()) as { fetches: number; elapsedMs: number },
          ),
        );
        slowest.push(Math.max(...results.map((result) => result.elapsedMs)));
        return results.reduce((sum, result) => sum + result.fetches, 0);
      },
    };
    const label = { suite, case: "10,000 callers on three nodes, one cold key" };
    const counted = await compare(
      { ...label, unit: "origin fetches" },
      { runs, subjects: [fetching] },
    );
    const waiting: Subject = {
      name: "parsec, slowest caller",
      run: () => slowest.pop() ?? Number.NaN,
    };
    return [
      ...counted,
      ...(await compare({ ...label, unit: "ms (origin: 50)" }, { runs, subjects: [waiting] })),
    ];
  } finally {
    await Promise.all(processes.map(endProgram));
  }
}

/** A child that is spoken to line by line. */
class Line {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error("the child has no output");
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  send(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify(message)}\n`);
  }

  async next(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error("a node of the stampede ended early");
    return value;
  }
}
