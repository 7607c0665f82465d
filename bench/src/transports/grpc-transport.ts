import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
} from "@grpc/grpc-js";
import { createGrpcPeers } from "@parsec/transport-grpc";
import { freePort } from "../processes/loopback-port.ts";
import type { BenchTransport } from "./bench-transport.ts";
import { answerTo, WaitingAnswers } from "./waiting-answers.ts";

const path = "/bench.Echo/Stream";
const asIs = (bytes: Buffer): Buffer => bytes;

export const grpcTransport: BenchTransport = {
  needsNats: false,
  bareName: "bare grpc-js stream, one key per message",
  newId: async () => `grpc://127.0.0.1:${await freePort()}`,
  async connect({ id, members }) {
    const peers = createGrpcPeers({ selfUrl: id, peerUrls: members, insecure: true });
    await peers.listen();
    return peers;
  },
  async serveBare(value) {
    const server = new Server();
    const stream = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    const answerAll = (call: ServerDuplexStream<Buffer, Buffer>): void => {
      call.on("data", (question: Buffer) => call.write(answerTo(question, value)));
      call.on("end", () => call.end());
    };
    server.addService({ stream }, { stream: answerAll });
    return await new Promise((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(`127.0.0.1:${port}`);
        else reject(error);
      });
    });
  },
  connectBare(target) {
    const client = new Client(target, credentials.createInsecure());
    const call = client.makeBidiStreamRequest(path, asIs, asIs);
    const answers = new WaitingAnswers();
    call.on("data", (answer: Buffer) => answers.take(answer));
    let isClosed = false;
    call.on("error", (error) => {
      if (!isClosed) throw error;
    });
    return Promise.resolve({
      get: (key) => answers.ask(key, (question) => call.write(question)),
      close() {
        isClosed = true;
        call.end();
        client.close();
        return Promise.resolve();
      },
    });
  },
};
