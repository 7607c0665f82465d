import { expect, it } from "vitest";
import { checkMembers, checkName, fromToken, natsSubjects, toToken } from "./nats-subjects.ts";

const odd = [
  "node 2",
  "a.b",
  "*",
  ">",
  "=",
  "=YQ",
  "",
  "日本",
  "http://10.0.0.1:8080",
  "a\r\nPUB x",
];

it("encodes any name as one token of a subject, without collisions", () => {
  const names = [...odd, "plain", "plain_2-x", "PLAIN", "YQ", "a", "é", "e\u0301", "\udcff"];
  const tokens = names.map(toToken);
  for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_=-]+$/);
  expect(new Set(tokens).size).toBe(names.length);
  expect(toToken("plain_2-x")).toBe("plain_2-x");
  expect(tokens.map(fromToken)).toEqual(names);
  for (const token of ["a.b", "=YQ==", "=!", "a b"]) expect(fromToken(token)).toBeUndefined();
});

it("answers only to reply subjects of the same cluster", () => {
  const subjects = natsSubjects({ cluster: "prod", nodeId: "n 1", session: "abc" });
  expect(subjects.isReply(`${subjects.replyBase}.17`)).toBe(true);
  expect(subjects.isReply("parsec.prod.other.reply.xyz.1")).toBe(true);
  const foreign = [
    "parsec.staging.other.reply.xyz.1",
    "parsec.prod.other.ask",
    "parsec.prod.other.reply.xyz.1.more",
    "parsec.prod.other.reply.*.1",
    "parsec.prod.>",
    "$JS.API.STREAM.DELETE.KV_parsec_prod",
    "$SYS.REQ.SERVER.PING",
    "_INBOX.abc",
    "xparsec.prod.other.reply.xyz.1",
    "",
  ];
  for (const subject of foreign) expect(subjects.isReply(subject), subject).toBe(false);
});

it("accepts names of 1 to 255 bytes", () => {
  expect(checkName("nodeId", "é".repeat(127))).toHaveLength(127);
  for (const name of ["", "é".repeat(128), 7, undefined, null, {}]) {
    expect(() => checkName("nodeId", name)).toThrow(
      expect.objectContaining({
        code: "INVALID_ARGUMENT",
        message: expect.stringContaining("nodeId must be"),
      }),
    );
  }
});

it("refuses a list of members without this node, or with duplicates", () => {
  expect(checkMembers("ids", { nodeId: "a", ids: ["b", "a"] })).toEqual(["b", "a"]);
  const wrong: [unknown, string][] = [
    [["b"], 'this one ("a") included: "b"'],
    [[], "included: nothing"],
    [["a", "b", "b"], 'lists "b" twice'],
    [["a", ""], "ids[1] must be a string"],
    ["a", "must be an array"],
  ];
  for (const [ids, message] of wrong) {
    expect(() => checkMembers("ids", { nodeId: "a", ids: ids as string[] })).toThrow(message);
  }
});
