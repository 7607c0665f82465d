import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";

/** What the origin has under a key. */
export interface OriginValue {
  readonly key: string;
  readonly version: number;
  readonly text: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 });

/** The value as it was when the origin began to answer. */
export async function fetchFromOrigin(
  originUrl: string,
  question: { readonly key: string; readonly signal: AbortSignal },
): Promise<OriginValue> {
  const url = `${originUrl}/values/${encodeURIComponent(question.key)}`;
  return JSON.parse(await send(url, { method: "GET", signal: question.signal }));
}

/** Writes the next version, and returns its number once it is there. */
export async function changeAtOrigin(originUrl: string, key: string): Promise<number> {
  const url = `${originUrl}/values/${encodeURIComponent(key)}`;
  return JSON.parse(await send(url, { method: "POST" })).version;
}

function send(
  url: string,
  how: { readonly method: string; readonly signal?: AbortSignal },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { agent, ...how }, (response) => {
      text(response).then((body) => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`the origin answered ${response.statusCode}`));
      }, reject);
    });
    asking.once("error", reject);
    asking.end();
  });
}
