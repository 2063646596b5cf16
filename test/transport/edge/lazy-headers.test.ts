import fc from "fast-check";
import { expect, test } from "vitest";
import { AnsweredHeaders, ReceivedHeaders } from "../../../src/transport/edge/lazy-headers.ts";

const name = fc.constantFrom(
  "a",
  "b-bin",
  "B",
  "set-cookie",
  "host",
  "constructor",
  "naïve",
  "",
  "__proto__",
);
const value = fc.oneof(fc.constantFrom("1", " trimmed ", "", "café", "☃", "a\nb", "two words"), fc.string());
const act = fc.oneof(
  fc.record({ kind: fc.constantFrom("get" as const, "has" as const, "delete" as const), name }),
  fc.record({ kind: fc.constantFrom("set" as const, "append" as const), name, value }),
  fc.record({
    kind: fc.constantFrom("entries" as const, "forEach" as const, "getSetCookie" as const, "copy" as const),
  }),
);
type Act = typeof act extends fc.Arbitrary<infer A> ? A : never;

/** What comes of it, an error included. */
function outcome(headers: Headers, step: Act): unknown {
  try {
    switch (step.kind) {
      case "get":
      case "has":
      case "delete":
        return headers[step.kind](step.name);
      case "set":
      case "append":
        return headers[step.kind](step.name, step.value);
      case "entries":
        return [...headers, ...headers.keys(), ...headers.values(), ...headers.entries()];
      case "forEach": {
        const seen: unknown[] = [];
        headers.forEach((value, name, parent) => {
          seen.push([name, value, parent === headers]);
        });
        return seen;
      }
      case "getSetCookie":
        return headers.getSetCookie();
      case "copy":
        return [...new Headers(headers)];
    }
  } catch (error) {
    return (error as Error).name;
  }
}

test("headers of an answer do what Headers do", () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 12 }), (steps) => {
      const lazy = new AnsweredHeaders(["content-type", "application/json"]);
      const real = new Headers({ "content-type": "application/json" });
      for (const step of [...steps, { kind: "entries" as const }])
        expect(outcome(lazy, step)).toEqual(outcome(real, step));
      expect(lazy).toBeInstanceOf(Headers);
    }),
    { numRuns: 500 },
  );
});

test("headers of a request do what Headers do", () => {
  const fields = {
    a: "1",
    "b-bin": "AA==, BB==",
    "set-cookie": ["c=1", "d=2"],
    ":authority": "gate.example",
  };
  fc.assert(
    fc.property(fc.array(act, { maxLength: 8 }), (steps) => {
      const lazy = new ReceivedHeaders(fields);
      const real = new Headers([
        ["a", "1"],
        ["b-bin", "AA==, BB=="],
        ["set-cookie", "c=1"],
        ["set-cookie", "d=2"],
        ["host", "gate.example"],
      ]);
      for (const step of [...steps, { kind: "entries" as const }])
        expect(outcome(lazy, step)).toEqual(outcome(real, step));
      expect(lazy).toBeInstanceOf(Headers);
    }),
    { numRuns: 500 },
  );
});
