import { createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { HmacKey } from "./hmac-key.ts";

it.each([0, 1, 16, 63, 64, 65, 200])(
  "is HMAC-SHA256 with a key of %i bytes, for any text",
  (size) => {
    const secret = "kéy…".repeat(size).slice(0, size);
    const key = new HmacKey(secret);
    const texts = ["", "a", "schlüssel → wert", "x".repeat(1024), "ß→".repeat(3000), "a", "\ud800"];
    for (const text of texts) {
      const expected = createHmac("sha256", secret).update(text, "utf8").digest("hex");
      expect(key.macOf(text).toString("hex")).toBe(expected);
    }
  },
);
