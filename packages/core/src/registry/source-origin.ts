import { ParsecError } from "../errors.ts";
import { type Origin, originFailed } from "../group/origin.ts";
import { absentTag } from "../invalidation/absent-tag.ts";
import { describe, functionOption, invalidArgument } from "../option-checks.ts";
import { type Codec, jsonCodec } from "./codec.ts";
import type { DataSource } from "./data-source.ts";

/** How the data of a data source are encoded and tagged. */
export interface SourceCoding<Input, Data> {
  /** Encodes data as bytes. Defaults to JSON. */
  readonly codec?: Codec<Data>;
  /** Tags for `invalidateTag`. Must depend on input and data alone, because every node computes them itself. */
  readonly tags?: (input: Input, data: Data) => readonly string[];
}

/** The encoded input of a call without one, which is not JSON. */
const noInput = "undefined";

/** Adapts a typed data source to a group of bytes. */
export function sourceOrigin<Input, Data>(
  source: DataSource<Input, Data>,
  coding: SourceCoding<Input, Data>,
): Origin<Input, Data> {
  const { name } = source;
  const { codec = jsonCodec<Data>() } = coding;
  const { tags } = coding;
  functionOption("codec.encode", codec?.encode);
  functionOption("codec.decode", codec?.decode);
  if (tags !== undefined) functionOption("tags", tags);

  /** Always decodes the input from JSON, so that `fetch` gets the same input on every node. */
  const inputOf = (key: string, encoded: Uint8Array | undefined): Input => {
    if (encoded !== undefined) return decodeInput(name, encoded);
    if (source.inputFromKey !== undefined) {
      try {
        return source.inputFromKey(key);
      } catch (error) {
        throw originFailed(name, error);
      }
    }
    throw invalidArgument(
      `${name}: inputFromKey must be defined for requests that carry only a key`,
    );
  };

  return {
    shared: true,
    emptyKeyHasOwner: false,
    decode(bytes) {
      try {
        return codec.decode(bytes);
      } catch (error) {
        throw new ParsecError("CODEC_FAILED", `${name}: cannot decode the value`, {
          cause: error,
        });
      }
    },
    encodeInput(input) {
      try {
        const wanted = source.cacheInput === undefined ? input : source.cacheInput(input);
        return Buffer.from(JSON.stringify(wanted) ?? noInput, "utf8");
      } catch (error) {
        throw new ParsecError("CODEC_FAILED", `${name}: cannot encode the input as JSON`, {
          cause: error,
        });
      }
    },
    async load(key, context) {
      const input = inputOf(key, context.input);
      if (key !== "") checkSameKey(source, { key, input });
      let data: Data | undefined;
      try {
        data = await source.fetch(input, context);
      } catch (error) {
        throw originFailed(name, error);
      }
      if (data === undefined) return undefined;
      try {
        return checkedBytes(codec.encode(data));
      } catch (error) {
        throw new ParsecError("CODEC_FAILED", `${name}: cannot encode the value`, {
          cause: error,
        });
      }
    },
    tags({ key, input, value }) {
      if (tags === undefined) return [];
      return value === undefined ? [absentTag] : tags(inputOf(key, input), codec.decode(value));
    },
  };
}

function checkedBytes(encoded: unknown): Uint8Array {
  if (encoded instanceof Uint8Array) return encoded;
  throw new TypeError(`codec.encode must return bytes, got ${describe(encoded)}`);
}

function decodeInput<Input>(name: string, bytes: Uint8Array): Input {
  try {
    const text = Buffer.from(bytes).toString("utf8");
    return (text === noInput ? undefined : JSON.parse(text)) as Input;
  } catch (error) {
    throw new ParsecError("CODEC_FAILED", `${name}: the input is not valid JSON`, { cause: error });
  }
}

/** Guards against caching data under a wrong key, when `cacheInput` drops a field that `cacheKey` reads. */
function checkSameKey<Input, Data>(
  source: DataSource<Input, Data>,
  requested: { readonly key: string; readonly input: Input },
): void {
  let key: unknown;
  try {
    key = source.cacheKey(requested.input);
  } catch {
    key = undefined;
  }
  if (key === requested.key) return;
  throw invalidArgument(
    `${source.name}: cacheInput must keep every field that cacheKey reads, in a form that survives JSON: the input of the request has another cacheKey than the request`,
  );
}
