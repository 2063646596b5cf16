import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  bytesToUuid,
  isUuid,
  randomBytes,
  randomToken,
  uuidToBytes,
  uuidV7,
} from "../../src/crypto/random-ids.ts";

const millisecondsOf = (uuid: string) => Number.parseInt(uuid.replaceAll("-", "").slice(0, 12), 16);

describe("uuidV7", () => {
  test("is laid out as RFC 9562 §5.7 says: time, version 7, variant 10", () => {
    // Appendix A.6 prints an id of this moment; everything that is not random must agree with it.
    const printed = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
    expect(uuidV7(0x017f22e279b0).slice(0, 15)).toBe(printed.slice(0, 15));
    expect(uuidV7()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test("carries the moment it was made", () => {
    const before = Date.now();
    expect(millisecondsOf(uuidV7())).toBeGreaterThanOrEqual(before);
    expect(millisecondsOf(uuidV7(2 ** 47 + 5))).toBe(2 ** 47 + 5);
    expect(millisecondsOf(uuidV7(1_700_000_000_000.9))).toBe(1_700_000_000_000);
  });

  test("increases strictly, even when far more are made than a millisecond's counter holds", () => {
    const ids = Array.from({ length: 20_000 }, () => uuidV7(1_700_000_000_000));
    expect(ids).toEqual([...new Set(ids)].sort());
  });

  test("a clock that steps back a little does not undo the order; another clock is followed", () => {
    const first = uuidV7(1_800_000_000_000);
    const steppedBack = uuidV7(1_799_999_999_000);
    expect(steppedBack > first).toBe(true);
    expect(millisecondsOf(uuidV7(1_600_000_000_000))).toBe(1_600_000_000_000);
  });

  test("the last 62 bits are drawn anew for each id", () => {
    const tails = Array.from({ length: 2_000 }, () => uuidToBytes(uuidV7(1_700_000_000_000)).subarray(8));
    for (let bit = 2; bit < 64; bit++) {
      const ones = tails.filter((tail) => tail[bit >> 3]! & (0x80 >> (bit & 7))).length;
      // Seven standard deviations of a fair coin.
      expect(Math.abs(ones - 1_000)).toBeLessThan(157);
    }
  });
});

describe("uuid text and bytes", () => {
  test("turn into each other", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        expect(isUuid(bytesToUuid(bytes))).toBe(true);
        expect(uuidToBytes(bytesToUuid(bytes))).toEqual(bytes);
      }),
    );
  });

  test("a view into a larger buffer is read where it lies", () => {
    const bytes = Uint8Array.from({ length: 32 }, (_, index) => index).subarray(16);
    expect(bytesToUuid(bytes)).toBe("10111213-1415-1617-1819-1a1b1c1d1e1f");
  });

  test.each([
    ["nothing", ""],
    ["upper case", "017F22E2-79B0-7CC3-98C4-DC0C0C07398F"],
    ["no dashes", "017f22e279b07cc398c4dc0c0c07398f"],
    ["braces", "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}"],
    ["a line end", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n"],
    ["one digit short", "017f22e2-79b0-7cc3-98c4-dc0c0c07398"],
    ["another letter", "017f22e2-79b0-7cc3-98c4-dc0c0c07398g"],
  ])("%s is not a UUID", (_name, text) => {
    expect(isUuid(text)).toBe(false);
    expect(() => uuidToBytes(text)).toThrow(TypeError);
  });

  test("fifteen bytes are refused", () => {
    expect(() => bytesToUuid(new Uint8Array(15))).toThrow(TypeError);
  });
});

test("randomToken is base64url of as many bytes as asked", () => {
  for (const bytes of [1, 16, 32]) {
    const token = randomToken(bytes);
    expect(token).toMatch(/^[A-Za-z0-9_-]+$/);
    expect(Buffer.from(token, "base64url")).toHaveLength(bytes);
  }
  expect(randomToken(16)).not.toBe(randomToken(16));
});

describe("random bytes", () => {
  test("are as many as asked for, and none is handed out twice", () => {
    const sizes = Array.from({ length: 3_000 }, (_, index) => (index % 7 === 0 ? 4_096 : 16 + (index % 32)));
    const drawn = sizes.map((size) => randomBytes(size));
    expect(drawn.map(({ length }) => length)).toEqual(sizes);
    const pieces = drawn.flatMap((bytes) =>
      Array.from({ length: Math.floor(bytes.length / 8) }, (_, index) =>
        Buffer.from(bytes.subarray(8 * index, 8 * index + 8)).toString("hex"),
      ),
    );
    expect(new Set(pieces).size).toBe(pieces.length);
  });

  test("belong to whoever asked: writing into them changes no other", () => {
    const first = randomBytes(16).fill(1);
    const second = randomBytes(16);
    first.fill(2);
    expect(second.every((byte) => byte === 1 || byte === 2)).toBe(false);
    expect(new Uint8Array(second.buffer)).toHaveLength(16);
  });
});
