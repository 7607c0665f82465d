import { connect } from "node:net";

/**
 * Deletes every bucket of a server, as an operator could, with the few needed commands of NATS's protocol
 * (https://docs.nats.io/reference/reference-protocols/nats-protocol).
 */
export async function deleteBuckets(port: number): Promise<number> {
  const names = await ask(port, "$JS.API.STREAM.NAMES");
  const { streams } = names as { readonly streams?: readonly string[] | null };
  const buckets = (streams ?? []).filter((name) => name.startsWith("KV_"));
  for (const name of buckets) await ask(port, `$JS.API.STREAM.DELETE.${name}`);
  return buckets.length;
}

function ask(port: number, subject: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let heard = "";
    socket.setEncoding("utf8");
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer to ${subject}`)));
    socket.on("error", reject);
    socket.on("close", () => reject(new Error(`${subject}: the server hung up`)));
    socket.write('CONNECT {"verbose":false,"pedantic":false}\r\n');
    socket.write(`SUB _chaos 1\r\nPUB ${subject} _chaos 0\r\n\r\n`);
    socket.on("data", (text: string) => {
      heard += text;
      const [, length = "", rest = ""] = /MSG _chaos 1 (\d+)\r\n([\s\S]*)/.exec(heard) ?? [];
      if (length === "" || rest.length < Number(length)) return;
      resolve(JSON.parse(rest.slice(0, Number(length))));
      socket.destroy();
    });
  });
}
