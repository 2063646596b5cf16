import { describe, expect, it } from "vitest";
import { decideUpdate, type UserChanges } from "../../src/user/update-user.ts";
import { initialUser, type UserState, userAggregate } from "../../src/user/user.ts";
import { given, givenUser } from "../support/given.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });
const issue = () => ({ text: "ABC123", payload: { code: "c", expiresAt: "e" } });
const bot = given(userAggregate, initialUser("bot"), [
  {
    type: "user.machine.added",
    payload: {
      organizationId: "acme",
      userName: "bot",
      name: "Bot",
      description: "backs up",
      accessTokenType: 0,
    },
  },
]);

const update = (user: UserState, changes: Partial<UserChanges>) =>
  decideUpdate(user, { metadata: [], ...changes }, issue).events;

describe("an update", () => {
  it("stores what differs, in one event for the profile", () => {
    const profile = { givenName: "Maria", familyName: "Example", nickName: "M", gender: 1 };
    expect(update(givenUser(), { username: "maria", human: { profile } })).toEqual([
      { type: "user.username.changed", payload: { userName: "maria" } },
      { type: "user.human.profile.changed", payload: { firstName: "Maria", nickName: "M", gender: 1 } },
    ]);
  });

  it("stores nothing if nothing differs", () => {
    const profile = { givenName: "Mia", familyName: " Example ", displayName: "Mia Example", nickName: "" };
    const email = { text: "mia@acme.localhost", verification: "none" } as const;
    expect(update(givenUser(), { username: "mia@acme.localhost", human: { profile, email } })).toEqual([]);
    expect(update(bot, { machine: { name: "Bot", description: "backs up", accessTokenType: 0 } })).toEqual(
      [],
    );
  });

  it("makes a display name of the names if it is emptied", () => {
    const profile = { givenName: "Maria", displayName: "" };
    expect(update(givenUser(), { human: { profile } })[0]!.payload).toEqual({
      firstName: "Maria",
      displayName: "Maria Example",
    });
  });

  it("changes a service account, down to an empty description", () => {
    expect(update(bot, { machine: { description: "", accessTokenType: 1 } })).toEqual([
      { type: "user.machine.changed", payload: { description: "", accessTokenType: 1 } },
    ]);
  });

  it.each([
    [givenUser(), { machine: { name: "Bot" } }, "user.type_mismatch"],
    [bot, { human: { profile: {} } }, "user.type_mismatch"],
    [bot, { machine: { name: " " } }, "user.machine_name_empty"],
    [givenUser(), { username: " " }, "user.username_empty"],
    [givenUser(), { human: { profile: { givenName: " " } } }, "user.given_name_empty"],
    [givenUser(), { human: { profile: { familyName: " " } } }, "user.family_name_empty"],
  ] as const)("of $id with %o is refused: %s", (user, changes, expected) => {
    expect(() => update(user, changes)).toThrow(slug(expected));
  });
});

describe("metadata", () => {
  const bytes = (length: number) => new Uint8Array(length).fill(7);
  const keys = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ key: `k${index}`, value: bytes(1) }));

  it("changes key by key; an empty value deletes", () => {
    const user = givenUser({ type: "user.metadata.set", payload: { key: "a", value: "Bw==" } });
    const metadata = [
      { key: "a", value: bytes(1) },
      { key: "b", value: bytes(1) },
      { key: "a", value: bytes(0) },
      { key: "c", value: bytes(0) },
    ];
    expect(update(user, { metadata })).toEqual([
      { type: "user.metadata.set", payload: { key: "b", value: "Bw==" } },
      { type: "user.metadata.removed", payload: { key: "a" } },
    ]);
  });

  it("has room for 64 keys and 1 MiB", () => {
    expect(update(givenUser(), { metadata: keys(64) })).toHaveLength(64);
    expect(() => update(givenUser(), { metadata: keys(65) })).toThrow(slug("user.metadata_too_large"));
    const big = [1, 2, 3].map((key) => ({ key: `big${key}`, value: bytes(400_000) }));
    expect(() => update(givenUser(), { metadata: big })).toThrow(slug("user.metadata_too_large"));
  });
});
