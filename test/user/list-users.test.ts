import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addOrganization } from "../../src/organization/add-organization.ts";
import type { Condition, TextMatch } from "../../src/storage/conditions.ts";
import type { UserCondition, UserText } from "../../src/storage/user-repository.ts";
import { createUser } from "../../src/user/create-user.ts";
import { getUser, type ListUsers, listUsers } from "../../src/user/user-queries.ts";
import { engines } from "../support/databases.ts";
import { caller } from "../support/given.ts";
import { type House, human, lock, openHouse, owner } from "./house.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });
const text = (
  field: UserText,
  value: string,
  method: TextMatch["method"],
  ignoreCase = false,
): UserCondition => ({
  by: "text",
  field,
  match: { text: value, method, ignoreCase },
});

describe.each(engines)("lists of users on %s", (engine) => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse(engine);
    for (const name of ["Acme", "Other"]) {
      await addOrganization(house, owner, { name, organizationId: name.toLowerCase(), admins: [] });
    }
    const metadata = [{ key: "team", value: Buffer.from("blue") }];
    const people = [
      human("ann", { metadata, profile: { givenName: "Ann", familyName: "Zorn", nickName: "A_n%" } }),
      human("ben", { profile: { givenName: "ben", familyName: "Young" } }),
      human("cal", { phone: { text: "+41791234567", verification: "verified" } }),
    ];
    for (const person of people) await createUser(house, owner, { organizationId: "acme", human: person });
    const machine = { userId: "bot", name: "Bot", accessTokenType: 0, metadata: [] };
    await createUser(house, owner, { organizationId: "other", machine });
    await lock(house, "cal");
  });
  afterAll(() => house.close());

  const acme = { by: "organizationId", id: "acme" } as const;
  const list = (query: Partial<ListUsers>, who = owner) =>
    listUsers(house, who, {
      conditions: [],
      sort: "createdAt",
      offset: 0,
      limit: 0,
      ascending: true,
      ...query,
    });
  const ids = async (...conditions: Condition<UserCondition>[]) =>
    (
      await list({
        conditions: [{ by: "not", condition: text("username", "admin", "equals") }, ...conditions],
      })
    ).rows.map(({ id }) => id);

  it.each([
    ["equals", "ben", false, []],
    ["equals", "ann", true, ["ann"]],
    ["startsWith", "An", false, ["ann"]],
    ["startsWith", "B", false, []],
    ["startsWith", "B", true, ["ben"]],
    ["contains", "N", true, ["ann", "ben"]],
    ["endsWith", "al", false, ["cal"]],
  ] as const)("compare texts: %s %j, ignoring case %s", async (method, value, ignoreCase, expected) => {
    const name = method === "equals" && !ignoreCase ? value.toUpperCase() : value;
    expect(await ids(text("givenName", name, method, ignoreCase))).toEqual(expected);
  });

  it("take the signs of a pattern as what they are", async () => {
    expect(await ids(text("nickName", "_n%", "endsWith"))).toEqual(["ann"]);
    expect(await ids(text("nickName", "A%n", "startsWith"))).toEqual([]);
    expect(await ids(text("username", "\\", "contains"))).toEqual([]);
  });

  it("find user names by their case or whatever their case", async () => {
    expect(await ids(text("username", "ANN@example.com", "equals"))).toEqual([]);
    expect(await ids(text("username", "ann@example.com", "equals"))).toEqual(["ann"]);
    expect(await ids(text("username", "ANN@example.com", "equals", true))).toEqual(["ann"]);
  });

  it("combine conditions with and, or and not; who lacks a value is not lost", async () => {
    const ann = text("givenName", "Ann", "equals");
    expect(await ids({ by: "not", condition: ann })).toEqual(["ben", "cal", "bot"]);
    expect(await ids({ by: "or", conditions: [ann, { by: "type", type: "machine" }] })).toEqual([
      "ann",
      "bot",
    ]);
    expect(await ids({ by: "and", conditions: [ann, { by: "type", type: "machine" }] })).toEqual([]);
    expect(await ids({ by: "or", conditions: [] })).toEqual([]);
    expect(await ids(acme, { by: "not", condition: { by: "or", conditions: [ann] } })).toEqual([
      "ben",
      "cal",
    ]);
  });

  it.each([
    ["status", { by: "status", status: "locked" }, ["cal"]],
    ["ids", { by: "ids", ids: ["bot", "ann", "nobody"] }, ["ann", "bot"]],
    ["e-mail addresses", { by: "emails", emails: ["ben@example.com"] }, ["ben"]],
    [
      "metadata key",
      { by: "metadataKey", match: { text: "te", method: "startsWith", ignoreCase: false } },
      ["ann"],
    ],
    ["phone", text("phone", "+4179", "startsWith"), ["cal"]],
  ] as [string, UserCondition, string[]][])("filter by %s", async (_, condition, expected) => {
    expect(await ids(condition)).toEqual(expected);
  });

  it("nest twenty levels deep and no deeper", async () => {
    const nested = (depth: number): Condition<UserCondition> =>
      depth === 0 ? acme : { by: "and", conditions: [nested(depth - 1)] };
    expect((await list({ conditions: [nested(20)] })).total).toBe(3);
    await expect(list({ conditions: [nested(21)] })).rejects.toEqual(slug("user.query_too_deep"));
    await expect(list({ conditions: Array(1001).fill(acme) })).rejects.toEqual(slug("list.query_too_large"));
  });

  it.each([
    ["givenName", ["ann", "ben", "cal"]],
    ["familyName", ["cal", "ben", "ann"]],
    ["status", ["ann", "ben", "cal"]],
    ["email", ["ann", "ben", "cal"]],
  ] as const)("sort by %s, in both directions", async (sort, expected) => {
    const sorted = async (ascending: boolean) =>
      (await list({ conditions: [acme], sort, ascending })).rows.map(({ id }) => id);
    expect(await sorted(true)).toEqual(expected);
    if (sort !== "status") expect(await sorted(false)).toEqual([...expected].reverse());
  });

  it("page without losing or repeating anyone, with the same total on every page", async () => {
    const pages = await Promise.all(
      [0, 1, 2, 3].map((offset) => list({ conditions: [acme], sort: "type", offset, limit: 1 })),
    );
    expect(pages.map(({ total }) => total)).toEqual([3, 3, 3, 3]);
    expect(pages.flatMap(({ rows }) => rows.map(({ id }) => id))).toEqual(["ann", "ben", "cal"]);
    expect(pages[0]!.now).toBeInstanceOf(Date);
    expect(pages[0]!.rows[0]).toEqual(await house.users.find("ann"));
    await expect(list({ limit: 1001 })).rejects.toEqual(slug("list.limit_exceeded"));
  });

  it.each([
    ["an administrator of the instance", caller("x", { instance: ["IAM_OWNER_VIEWER"] }), 5],
    ["an organization's owner", caller("x", { acme: ["ORG_OWNER"] }), 3],
    ["an organization's owner from another one", caller("bot", { acme: ["ORG_OWNER"] }), 4],
    ["a user without roles", caller("ben"), 1],
    ["a stranger", caller("x"), 0],
  ])("show %s what may be read and count nothing else", async (_, who, total) => {
    const { rows, ...found } = await list({}, who);
    expect(found.total).toBe(total);
    expect(rows).toHaveLength(total);
  });

  it("agree with reading one by one", async () => {
    expect((await getUser(house, caller("ben"), "ben")).id).toBe("ben");
    await expect(getUser(house, caller("ben"), "ann")).rejects.toEqual(slug("auth.permission_denied"));
    await expect(getUser(house, owner, "nobody")).rejects.toEqual(slug("user.not_found"));
  });
});
