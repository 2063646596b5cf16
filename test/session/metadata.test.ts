import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { patchMetadata } from "../../src/session/metadata.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const base64 = (text: string) => Buffer.from(text).toString("base64");
const stored = (map: Record<string, string>) =>
  Object.fromEntries(Object.entries(map).map(([key, text]) => [key, base64(text)]));
const patch = (map: Record<string, string>) =>
  Object.fromEntries(Object.entries(map).map(([key, text]) => [key, bytes(text)]));

describe("metadata", () => {
  it.each([
    [{}, { a: "1" }, { a: "1" }],
    [{ a: "1" }, { b: "2" }, { a: "1", b: "2" }],
    [{ a: "1" }, { a: "1" }, undefined],
    [{ a: "1" }, { a: "" }, {}],
    [{ a: "1" }, { c: "" }, undefined],
    [{ a: "1" }, { a: "2" }, { a: "2" }],
    [
      { a: "1", b: "2" },
      { a: "", b: "3", c: "4" },
      { b: "3", c: "4" },
    ],
    [{ a: "1" }, {}, undefined],
  ] as [Record<string, string>, Record<string, string>, Record<string, string> | undefined][])(
    "%j patched with %j becomes %j",
    (before, change, after) => {
      expect(patchMetadata(stored(before), patch(change))).toEqual(after && stored(after));
    },
  );

  it("follows the table for any map and patch", () => {
    const map = fc.dictionary(fc.string(), fc.string({ minLength: 1, maxLength: 4 }), { maxKeys: 8 });
    const change = fc.dictionary(fc.string(), fc.string({ maxLength: 4 }), { maxKeys: 8 });
    fc.assert(
      fc.property(map, change, (before, wanted) => {
        const expected = new Map(Object.entries(before));
        for (const [key, text] of Object.entries(wanted))
          text === "" ? expected.delete(key) : expected.set(key, text);
        const after = patchMetadata(stored(before), patch(wanted));
        const result = after ?? stored(before);
        expect(new Map(Object.entries(result))).toEqual(
          new Map(Object.entries(stored(Object.fromEntries(expected)))),
        );
        const unchanged =
          [...expected].every(([k, v]) => before[k] === v) && expected.size === Object.keys(before).length;
        expect(after === undefined).toBe(unchanged);
      }),
    );
  });

  it("has at most 64 keys after the patch, whatever the patch alone has", () => {
    const sixty = Object.fromEntries(Array.from({ length: 60 }, (_, n) => [`old${n}`, "x"]));
    const more = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, n) => [`new${n}`, "x"]));
    expect(patchMetadata(stored(sixty), patch(more(4)))).toBeDefined();
    expect(() => patchMetadata(stored(sixty), patch(more(5)))).toThrow(
      expect.objectContaining({ slug: "session.metadata_too_large" }),
    );
    expect(patchMetadata(stored(sixty), patch({ ...more(5), old0: "" }))).toBeDefined();
  });

  it("holds values of at most 64 KiB", () => {
    expect(patchMetadata({}, { a: new Uint8Array(65_536) })).toBeDefined();
    expect(() => patchMetadata({}, { a: new Uint8Array(65_537) })).toThrow(
      expect.objectContaining({ slug: "session.metadata_too_large" }),
    );
  });

  it("keeps a key named like an object's own business", () => {
    expect(patchMetadata({}, patch({ constructor: "1", toString: "2" }))).toEqual(
      stored({ constructor: "1", toString: "2" }),
    );
  });
});
