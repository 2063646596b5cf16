import fc from "fast-check";
import { expect, it } from "vitest";
import { type CursorScope, readCursor, writeCursor } from "../../src/session/search-cursor.ts";

const scope: CursorScope = {
  filter: { userIds: ["a", "b"], metadata: { x: "MQ==", y: "Mg==" }, statuses: ["active", "ended"] },
  sort: "creation",
  ascending: true,
};
const place = { at: "2026-07-10T09:00:00.123Z", id: "a session" };
const refused = expect.objectContaining({ slug: "session.cursor_invalid" });

it("a cursor is text for URLs that brings its place back", () => {
  for (const at of [place.at, "infinity", "-infinity"]) {
    const cursor = writeCursor(scope, { at, id: "Ünï/cødé" });
    expect(cursor).toMatch(/^[\w-]+$/);
    expect(readCursor(scope, cursor)).toEqual({ at, id: "Ünï/cødé" });
  }
});

it.each<[string, CursorScope]>([
  ["its lists in another order", { ...scope, filter: { ...scope.filter, userIds: ["b", "a", "b"] } }],
  [
    "its metadata in another order",
    { ...scope, filter: { ...scope.filter, metadata: { y: "Mg==", x: "MQ==" } } },
  ],
  [
    "its conditions in another order",
    { ...scope, filter: Object.fromEntries(Object.entries(scope.filter).reverse()) },
  ],
])("a search with %s is the same search", (_, same) => {
  expect(readCursor(same, writeCursor(scope, place))).toEqual(place);
});

it.each<[string, CursorScope]>([
  ["another user", { ...scope, filter: { ...scope.filter, userIds: ["a"] } }],
  ["one condition more", { ...scope, filter: { ...scope.filter, exceptIds: ["x"] } }],
  ["one condition less", { ...scope, filter: { userIds: ["a", "b"] } }],
  [
    "the values of one condition in another",
    { ...scope, filter: { ...scope.filter, userIds: [], creatorIds: ["a", "b"] } },
  ],
  ["other metadata", { ...scope, filter: { ...scope.filter, metadata: { x: "MQ==", y: "MQ==" } } }],
  ["another direction", { ...scope, ascending: false }],
  ["another sort", { ...scope, sort: "change" }],
])("a cursor of a search with %s is refused", (_, other) => {
  expect(() => readCursor(scope, writeCursor(other, place))).toThrow(refused);
});

it("whatever else somebody sends is refused, and nothing but refused", () => {
  const digest = JSON.parse(Buffer.from(writeCursor(scope, place), "base64url").toString())[0] as string;
  const forged = fc.oneof(
    fc.string(),
    fc.jsonValue().map((value) => JSON.stringify(value)),
    fc.tuple(fc.constant(digest), fc.jsonValue(), fc.jsonValue()).map((value) => JSON.stringify(value)),
    fc.constant(JSON.stringify([digest, "2026-07-10", "x"])),
    fc.constant(JSON.stringify([digest, place.at, "\0"])),
  );
  fc.assert(
    fc.property(forged, (text) => {
      expect(() => readCursor(scope, Buffer.from(text).toString("base64url"))).toThrow(refused);
    }),
  );
});
