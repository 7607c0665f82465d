import { ParsecError } from "../errors.ts";
import { type Origin, originFailed } from "../group/origin.ts";
import { absentTag } from "../invalidation/tag-index.ts";
import { canonicalKey } from "../key-bytes.ts";
import { describe, functionOption } from "../option-checks.ts";
import { type Codec, jsonCodec } from "./codec.ts";
import type { DataSource } from "./data-source.ts";

/** How a source's data become bytes, and which labels they carry. */
export interface SourceCoding<Input, Data> {
  /** Defaults to JSON. */
  readonly codec?: Codec<Data>;
  /** Labels for `invalidateTag`. Must follow from input and data alone: every node works them out for itself. */
  readonly tags?: (input: Input, data: Data) => readonly string[];
}

/** Connects a typed source to a group of bytes. */
export function sourceOrigin<Input, Data>(
  source: DataSource<Input, Data>,
  coding: SourceCoding<Input, Data>,
): Origin<Input, Data> {
  const { name } = source;
  const codec = coding.codec ?? jsonCodec<Data>();
  const { tags } = coding;
  functionOption("codec.encode", codec.encode);
  functionOption("codec.decode", codec.decode);
  if (tags !== undefined) functionOption("tags", tags);

  /** Input as the owner gets it: what fetch sees does not depend on which node runs it. */
  const inputOf = (key: string, encoded: Uint8Array | undefined): Input => {
    if (encoded !== undefined) return decodeInput(name, encoded);
    if (source.inputFromKey !== undefined) {
      try {
        return source.inputFromKey(key);
      } catch (error) {
        throw originFailed(name, error);
      }
    }
    throw new ParsecError(
      "INVALID_ARGUMENT",
      `${name} was asked by key alone, which needs inputFromKey`,
    );
  };

  return {
    shared: true,
    emptyKeyHasOwner: false,
    decode(bytes) {
      try {
        return codec.decode(bytes);
      } catch (error) {
        throw new ParsecError("CODEC_FAILED", `a value of ${name} cannot be decoded`, {
          cause: error,
        });
      }
    },
    encodeInput(input) {
      try {
        const wanted = source.cacheInput === undefined ? input : source.cacheInput(input);
        return Buffer.from(JSON.stringify(wanted) ?? "null", "utf8");
      } catch (error) {
        throw new ParsecError("CODEC_FAILED", `an input of ${name} cannot be written as JSON`, {
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
        throw new ParsecError("CODEC_FAILED", `a value of ${name} cannot be encoded`, {
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
  throw new TypeError(`the codec returned ${describe(encoded)}, not bytes`);
}

function decodeInput<Input>(name: string, bytes: Uint8Array): Input {
  try {
    return JSON.parse(Buffer.from(bytes).toString("utf8")) as Input;
  } catch (error) {
    throw new ParsecError("CODEC_FAILED", `an input of ${name} is no JSON`, { cause: error });
  }
}

/** Filling one key with the data of another would be worse than any failure. */
function checkSameKey<Input, Data>(
  source: DataSource<Input, Data>,
  asked: { readonly key: string; readonly input: Input },
): void {
  let key: unknown;
  try {
    key = source.cacheKey(asked.input);
  } catch {
    key = undefined;
  }
  if (key === asked.key || (typeof key === "string" && canonicalKey(key) === asked.key)) return;
  throw new ParsecError(
    "INVALID_ARGUMENT",
    `the input that ${source.name} was asked with has another cacheKey than the one asked for; cacheInput must keep every field that cacheKey reads, in a form that survives JSON`,
  );
}
