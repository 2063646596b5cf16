import { describe, expect, it } from "vitest";
import type { CodeIssuer } from "../../src/user/contact.ts";
import { decideAddHuman, decideAddMachine, type NewMachine } from "../../src/user/prepare-user.ts";
import { initialUser } from "../../src/user/user.ts";
import { givenUser } from "../support/given.ts";
import { human } from "./house.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });
const issue: CodeIssuer = (_, kind) => ({ text: kind, payload: { code: "c", expiresAt: "e" } });
const facts = { email: "mia@example.com", phone: null };
const nobody = initialUser("mia");
const machine: NewMachine = { name: "Backup", accessTokenType: 0, metadata: [] };

describe("a new person", () => {
  it("is called by its e-mail address and its two names unless the request says otherwise", () => {
    const { events } = decideAddHuman(nobody, "acme", human("mia"), facts, issue);
    expect(events).toEqual([
      {
        type: "user.human.added",
        payload: {
          organizationId: "acme",
          userName: "mia@example.com",
          firstName: "mia",
          lastName: "Example",
          displayName: "mia Example",
          email: "mia@example.com",
        },
      },
      { type: "user.human.email.verified", payload: {} },
    ]);
  });

  it("keeps what the request says", () => {
    const profile = {
      givenName: " Mia ",
      familyName: "E",
      nickName: "M",
      displayName: "M.",
      preferredLanguage: "de",
      gender: 1,
    };
    const request = human("mia", {
      username: " mia ",
      profile,
      password: { hash: "h", changeRequired: true },
    });
    const { events } = decideAddHuman(nobody, "acme", request, { ...facts, encodedHash: "h" }, issue);
    expect(events[0]!.payload).toMatchObject({
      userName: "mia",
      firstName: "Mia",
      nickName: "M",
      displayName: "M.",
      preferredLanguage: "de",
      gender: 1,
      encodedHash: "h",
      changeRequired: true,
    });
  });

  it("gets codes for what is not vouched for, and only those asked for go back", () => {
    const request = human("mia", {
      email: { text: "mia@example.com", verification: "send" },
      phone: { text: "+41791234567", verification: "return" },
    });
    const decision = decideAddHuman(nobody, "acme", request, { ...facts, phone: "+41791234567" }, issue);
    expect(decision.events.map(({ type }) => type)).toEqual([
      "user.human.added",
      "user.human.email.code.added",
      "user.human.phone.code.added",
    ]);
    expect(decision).toMatchObject({ emailCode: undefined, phoneCode: "phone" });
  });

  it("may take the id of a removed user, not of one that is there", () => {
    const add = (state = givenUser()) => decideAddHuman(state, "acme", human("mia"), facts, issue);
    expect(() => add()).toThrow(slug("user.id_exists"));
    expect(() => add(givenUser({ type: "user.locked", payload: {} }))).toThrow(slug("user.id_exists"));
    expect(add(givenUser({ type: "user.removed", payload: {} })).events).toHaveLength(2);
  });

  it("cannot be called by blanks", () => {
    const request = human("mia", { username: "  " });
    expect(() => decideAddHuman(nobody, "acme", request, facts, issue)).toThrow(slug("user.username_empty"));
  });
});

describe("a new service account", () => {
  it("is called by its id unless the request says otherwise, and keeps its metadata", () => {
    const metadata = [{ key: "team", value: Buffer.from("ops") }];
    expect(decideAddMachine(initialUser("bot"), "acme", { ...machine, metadata })).toEqual([
      {
        type: "user.machine.added",
        payload: { organizationId: "acme", userName: "bot", name: "Backup", accessTokenType: 0 },
      },
      { type: "user.metadata.set", payload: { key: "team", value: "b3Bz" } },
    ]);
  });
});
