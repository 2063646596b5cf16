import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { Secrets } from "./secrets.ts";

/** Ways a secret could get into a text. */
const ways: Record<string, (secret: string) => string> = {
  "as it is": (secret) => secret,
  "between quotes": (secret) => JSON.stringify({ secret }),
  "in JSON within JSON": (secret) => JSON.stringify({ body: JSON.stringify({ secret }) }),
  "after a line break in JSON": (secret) => JSON.stringify({ text: `Hello,\n${secret} is your code.` }),
  "before a full stop": (secret) => `Your code is ${secret}. Give it to nobody.`,
  "in a URL": (secret) => `https://app.example/?code=${encodeURIComponent(secret)}&more`,
  "in a URL in a URL": (secret) => encodeURIComponent(`https://app.example/?code=${secret}`),
  "in a form": (secret) => new URLSearchParams({ code: secret }).toString(),
  "in base64": (secret) => Buffer.from(secret).toString("base64"),
  "in base64url, after one byte": (secret) => Buffer.from(`"${secret}"`).toString("base64url"),
  "in base64, after two": (secret) => Buffer.from(`: ${secret} `).toString("base64"),
  "in hexadecimal": (secret) => Buffer.from(secret).toString("hex"),
  "in hexadecimal, as PostgreSQL writes bytes": (secret) => `\\x${Buffer.from(secret).toString("hex")}`,
  "in upper case hexadecimal": (secret) => Buffer.from(secret).toString("hex").toUpperCase(),
  "as a buffer in JSON": (secret) => JSON.stringify(Buffer.from(secret)),
  "as bytes in JSON": (secret) => JSON.stringify({ ...Buffer.from(secret) }),
};

describe.each([
  ["a code of digits", "482913"],
  ["a code of letters and digits", "7KQ2ZP"],
  ["a longer code", "aB3dE5gH7jK9"],
  ["a token", `gatehouse_at_${randomBytes(32).toString("base64url")}`],
  ["a password", `p"ä ß%+/\\${randomBytes(6).toString("hex")}`],
])("%s", (name, secret) => {
  const secrets = new Secrets();
  secrets.remember(name, secret);
  secrets.remember("something else", "XK3B9W");

  test.each(Object.entries(ways))("is found %s", (_, wrap) => {
    expect(secrets.namesFoundIn(["a line before", wrap(secret), "a line after"])).toEqual([name]);
  });
});

test("bytes are found in every form of theirs", () => {
  const secrets = new Secrets();
  const bytes = randomBytes(20);
  secrets.remember("a seed", bytes);
  for (const text of [
    bytes.toString("hex"),
    bytes.toString("base64"),
    Buffer.concat([Buffer.of(7), bytes, Buffer.of(9)]).toString("base64url"),
    JSON.stringify({ bytes }),
  ])
    expect(secrets.namesFoundIn([text])).toEqual(["a seed"]);
});

test("a code is not found where the same signs are a part of something else", () => {
  const secrets = new Secrets();
  secrets.remember("digits", "123456");
  secrets.remember("letters", "ABC123");
  for (const text of [
    "2026-07-10T09:00:00.123456+00:00",
    '"durationMs":12.123456',
    "0123456",
    "123456789-ABC1234",
    "kABC123+/xABC123=",
  ])
    expect(secrets.namesFoundIn([text])).toEqual([]);
});

test("a code that could be the milliseconds of a lifetime is looked for in its other forms", () => {
  const secrets = new Secrets();
  secrets.remember("a code", "300000");
  expect(secrets.namesFoundIn(['{"expiry":300000}'])).toEqual([]);
  expect(secrets.namesFoundIn([Buffer.from("code=300000").toString("base64")])).toEqual(["a code"]);
  expect(secrets.namesFoundIn([secrets.leaked()])).toEqual(["a code"]);
});

test("what is too short to be looked for is refused, and a name is given once", () => {
  const secrets = new Secrets();
  expect(() => secrets.remember("a pin", "1234")).toThrow("too short");
  secrets.remember("a code", "123456");
  secrets.remember("a code", "654321");
  expect(secrets.names).toEqual(["a code", "a code 1"]);
});
