import { Agent, request } from "node:http";
import { text } from "node:stream/consumers";

/** The value of a key at the origin. */
export interface OriginValue {
  readonly key: string;
  readonly version: number;
  readonly text: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 });

/** Fetches the value that the key had when the request arrived. */
export async function fetchFromOrigin(
  originUrl: string,
  lookup: { readonly key: string; readonly signal: AbortSignal },
): Promise<OriginValue> {
  const url = `${originUrl}/values/${encodeURIComponent(lookup.key)}`;
  return JSON.parse(await send(url, { method: "GET", signal: lookup.signal }));
}

/** Writes the next version and resolves with its number. */
export async function changeAtOrigin(originUrl: string, key: string): Promise<number> {
  const url = `${originUrl}/values/${encodeURIComponent(key)}`;
  return JSON.parse(await send(url, { method: "POST" })).version;
}

function send(
  url: string,
  how: { readonly method: string; readonly signal?: AbortSignal },
): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { agent, ...how }, (response) => {
      text(response).then((body) => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`the origin must answer 200, got ${response.statusCode}`));
      }, reject);
    });
    sent.once("error", reject);
    sent.end();
  });
}
