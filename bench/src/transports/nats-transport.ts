import { connect } from "@nats-io/transport-node";
import { createNatsPeers } from "@parsec/transport-nats";
import type { BenchTransport } from "./bench-transport.ts";
import { answerTo, WaitingAnswers } from "./waiting-answers.ts";

const askSubject = "bench.ask";

export const natsTransport: BenchTransport = {
  needsNats: true,
  bareName: "bare NATS, one key per message",
  newId: (serial) => Promise.resolve(`node-${serial}`),
  async connect({ id, members, natsUrl }) {
    const peers = createNatsPeers({
      insecure: true,
      cluster: "bench",
      nodeId: id,
      servers: natsUrl,
      membership: { static: members },
    });
    await peers.ready({ signal: AbortSignal.timeout(10_000) });
    return peers;
  },
  async serveBare(value, natsUrl) {
    const connection = await connect({ servers: natsUrl });
    connection.subscribe(askSubject, {
      callback: (_error, message) => void message.respond(answerTo(message.data, value)),
    });
    await connection.flush();
    return natsUrl;
  },
  async connectBare(target) {
    const connection = await connect({ servers: target });
    const reply = `bench.reply.${process.pid}`;
    const answers = new WaitingAnswers();
    connection.subscribe(reply, {
      callback: (_error, { data }) =>
        answers.take(Buffer.from(data.buffer, data.byteOffset, data.length)),
    });
    await connection.flush();
    return {
      get: (key) =>
        answers.ask(key, (question) => connection.publish(askSubject, question, { reply })),
      close: () => connection.close(),
    };
  },
};
