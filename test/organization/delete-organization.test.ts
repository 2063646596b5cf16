import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DomainError } from "../../src/errors.ts";
import { identityProviderAggregate } from "../../src/idp/identity-provider.ts";
import { addOrganization } from "../../src/organization/add-organization.ts";
import { createAdministrator } from "../../src/organization/administrators.ts";
import {
  decideRemoval,
  deleteOrganization,
  MAX_REMOVED_USERS,
} from "../../src/organization/delete-organization.ts";
import { instanceAggregate } from "../../src/organization/instance.ts";
import { organizationAggregate } from "../../src/organization/organization.ts";
import { change } from "../../src/storage/aggregate.ts";
import type { OrganizationContents, RemovableUser } from "../../src/storage/organization-removal.ts";
import { INSTANCE_RESOURCE, type MembershipRow } from "../../src/storage/tables.ts";
import { createUser } from "../../src/user/create-user.ts";
import { userAggregate } from "../../src/user/user.ts";
import { changeUserState } from "../../src/user/user-state.ts";
import { engines } from "../support/databases.ts";
import { caller, given } from "../support/given.ts";
import { defaultOrganization, type House, human, openHouse, owner } from "../user/house.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });
const user = (id: string): RemovableUser => ({
  id,
  sequence: 3,
  organizationId: "acme",
  passwordEpoch: 0,
  sessionEpoch: 0,
  createdAt: new Date(0),
});
const organization = (id: string, ...more: { type: "org.removed"; payload: Record<string, never> }[]) =>
  given(organizationAggregate, organizationAggregate.initialState(id), [
    { type: "org.added", payload: { name: id, primaryDomain: `${id}.localhost` } },
    ...more,
  ]);
const instance = given(instanceAggregate, instanceAggregate.initialState("instance"), [
  { type: "instance.added", payload: { defaultOrganizationId: "home", keyCheck: "" } },
]);
const member = (userId: string, resourceId: string, ...roles: string[]): MembershipRow => ({
  userId,
  resourceId,
  roles,
  createdAt: new Date(0),
  changedAt: new Date(0),
});
const acme: OrganizationContents = {
  organization: organization("acme"),
  instance,
  users: [],
  providers: [],
  memberships: [],
  others: [],
  hasOwnerElsewhere: true,
};
const removals = {
  user: ({ id, sequence }: RemovableUser) => ({
    type: "user" as const,
    id,
    expectedSequence: sequence,
    events: [],
    state: { id, sequence },
  }),
  provider: (provider: { id: string; sequence: number }) => ({
    type: "idp" as const,
    id: provider.id,
    expectedSequence: provider.sequence,
    events: [],
    state: provider,
  }),
};
const decided = (changes: Partial<OrganizationContents>) =>
  decideRemoval({ ...acme, ...changes }, removals, "boss");

describe("what goes with an organization", () => {
  it("is everybody and every provider there, and their roles elsewhere, resource by resource", () => {
    const { removed, others } = decided({
      users: [user("ann"), user("ben")],
      memberships: [
        member("ann", "other", "ORG_OWNER"),
        member("ben", "other", "ORG_OWNER"),
        member("ben", INSTANCE_RESOURCE, "IAM_OWNER_VIEWER"),
      ],
      others: [organization("other")],
      providers: [{ ...identityProviderAggregate.initialState("google"), sequence: 2 }],
    });
    expect(removed).toMatchObject({ id: "acme", events: [{ type: "org.removed", actorId: "boss" }] });
    const left = (userId: string) => ({ type: "org.member.cascade.removed", payload: { userId } });
    expect(others).toMatchObject([
      { type: "user", id: "ann", expectedSequence: 3 },
      { type: "user", id: "ben", expectedSequence: 3 },
      { type: "idp", id: "google", expectedSequence: 2 },
      { type: "org", id: "other", events: [left("ann"), left("ben")] },
      { type: "instance", events: [{ type: "instance.member.cascade.removed", payload: { userId: "ben" } }] },
    ]);
  });

  it.each<[string, Partial<OrganizationContents>, string]>([
    ["nobody knows", { organization: undefined }, "organization.not_found"],
    [
      "was removed",
      { organization: organization("acme", { type: "org.removed", payload: {} }) },
      "organization.not_found",
    ],
    ["is the default one", { organization: organization("home") }, "organization.is_default"],
    [
      "the last owner lives in",
      { memberships: [member("ann", INSTANCE_RESOURCE, "IAM_OWNER")], hasOwnerElsewhere: false },
      "organization.last_owner",
    ],
    [
      "is too large for one append",
      { users: Array.from({ length: MAX_REMOVED_USERS + 1 }, (_, index) => user(`user-${index}`)) },
      "organization.too_many_users",
    ],
  ])("is nothing where the organization %s", (_, contents, expected) => {
    expect(() => decided(contents)).toThrow(slug(expected));
  });

  it("may be an owner of the instance, if there is another, and as many users as the refusal says", () => {
    const memberships = [member("ann", INSTANCE_RESOURCE, "IAM_OWNER")];
    expect(() => decided({ memberships })).not.toThrow();
    const viewer = [member("ann", INSTANCE_RESOURCE, "IAM_OWNER_VIEWER")];
    expect(() => decided({ memberships: viewer, hasOwnerElsewhere: false })).not.toThrow();
    const users = Array.from({ length: MAX_REMOVED_USERS }, (_, index) => user(`user-${index}`));
    expect(() => decided({ users })).not.toThrow();
    expect(new DomainError("organization.too_many_users").message).toContain(` ${MAX_REMOVED_USERS} users`);
  });
});

describe.each(engines)("removing an organization on %s", (engine) => {
  let house: House;
  let home: string;
  beforeAll(async () => {
    house = await openHouse(engine);
    home = await defaultOrganization(house);
    await createUser(house, owner, { organizationId: home, human: human("guest") });
  });
  afterAll(() => house.close());

  const add = async (name: string, ...people: string[]) => {
    const { organizationId } = await addOrganization(house, owner, { name, admins: [] });
    for (const each of people) await createUser(house, owner, { organizationId, human: human(each) });
    return organizationId;
  };
  const role = (userId: string, id: string, ...roles: string[]) =>
    createAdministrator(house, owner, { userId, resource: { kind: "organization", id }, roles });
  const onInstance = (userId: string, ...roles: string[]) =>
    createAdministrator(house, owner, { userId, resource: { kind: "instance" }, roles });

  it("takes everything with it, and leaves everything else", async () => {
    const [acme, other] = [await add("Acme", "ann", "ben"), await add("Other", "carl")];
    await role("guest", acme, "ORG_OWNER");
    await role("ann", acme, "ORG_OWNER");
    await role("ann", other, "ORG_OWNER_VIEWER");
    await role("ben", home, "ORG_OWNER_VIEWER");
    await role("carl", other, "ORG_OWNER");
    await onInstance("ben", "IAM_OWNER_VIEWER");
    const before = (await house.organizations.find(acme))!;
    const details = await deleteOrganization(house, owner, acme);
    expect(details).toMatchObject({ sequence: before.sequence + 1, resourceOwner: acme });

    expect(await house.organizations.find(acme)).toMatchObject({ status: "removed", nameKey: null });
    for (const id of ["ann", "ben"]) {
      expect(await house.users.find(id)).toMatchObject({ status: "removed", usernameKey: null, email: null });
      expect(await house.organizations.membershipsOf(id)).toEqual([]);
    }
    expect(await house.organizations.membershipsOf("guest")).toEqual([]);
    expect(await house.organizations.membershipsOf("carl")).toMatchObject([{ resourceId: other }]);
    expect(await house.users.find("carl")).toMatchObject({ status: "active" });
    await expect(deleteOrganization(house, owner, acme)).rejects.toEqual(slug("organization.not_found"));

    const again = await add("acme", "ann");
    expect(again).not.toBe(acme);
    expect((await house.organizations.find(again))!.primaryDomain).toBe(before.primaryDomain);
    expect(await house.users.find("ann")).toMatchObject({ status: "active", sessionEpoch: 1 });
  });

  it("is for those who may remove any, and nobody else learns whether there is one", async () => {
    const acme = await add("Guarded", "dora");
    for (const who of [
      caller("somebody"),
      caller("own", { [acme]: ["ORG_OWNER"] }),
      caller("viewer", { instance: ["IAM_OWNER_VIEWER"] }),
      caller("manager", { instance: ["IAM_USER_MANAGER"] }),
    ]) {
      for (const id of [acme, "nowhere", home]) {
        await expect(deleteOrganization(house, who, id)).rejects.toEqual(slug("auth.permission_denied"));
      }
    }
    await expect(deleteOrganization(house, owner, "nowhere")).rejects.toEqual(slug("organization.not_found"));
    await expect(deleteOrganization(house, owner, home)).rejects.toEqual(slug("organization.is_default"));
    await deleteOrganization(house, caller("manager", { instance: ["IAM_ORG_MANAGER"] }), acme);
  });

  it("leaves the instance an owner who can act", async () => {
    const acme = await add("Headquarters", "boss");
    await onInstance("boss", "IAM_OWNER");
    const { userId } = (await house.db
      .selectFrom("memberships")
      .select("userId")
      .where("resourceId", "=", INSTANCE_RESOURCE)
      .where("userId", "!=", "boss")
      .executeTakeFirst())!;
    await changeUserState(house, owner, "deactivate", userId);
    await expect(deleteOrganization(house, owner, acme)).rejects.toEqual(slug("organization.last_owner"));
    expect(await house.users.find("boss")).toMatchObject({ status: "active" });
    await changeUserState(house, owner, "reactivate", userId);
    await deleteOrganization(house, owner, acme);
  });

  it("leaves nobody behind who was being added, and lets nobody in afterwards", async () => {
    for (let round = 0; round < 5; round++) {
      const acme = await add(`Busy ${round}`, `first-${round}`);
      const adding = Array.from({ length: 8 }, (_, index) =>
        createUser(house, owner, { organizationId: acme, human: human(`late-${round}-${index}`) }).then(
          () => "ok",
          (error: { slug?: string }) => error.slug ?? String(error),
        ),
      );
      const outcomes = [deleteOrganization(house, owner, acme), ...adding];
      const [, ...added] = await Promise.all(outcomes);
      for (const outcome of added) expect(["ok", "organization.not_found"]).toContain(outcome);
      const { rows } = await house.users.search({
        conditions: [{ by: "organizationId", id: acme }],
        visibility: "everything",
        sort: "createdAt",
        offset: 0,
        limit: 100,
        ascending: true,
      });
      expect(rows).toEqual([]);
    }
  });

  it("goes through while its people keep changing", async () => {
    const acme = await add("Lively", "erin");
    let isGone = false;
    const changing = (async () => {
      for (let count = 0; !isGone; count++) {
        const user = (await house.users.find("erin"))!;
        if (user.status !== "active") return count;
        const checked = [{ type: "user.human.password.check.succeeded" as const, payload: {} }];
        await house.events.append([change(userAggregate, user, checked, "erin")]).catch(() => {});
      }
      return 0;
    })();
    await deleteOrganization(house, owner, acme);
    isGone = true;
    await changing;
    expect(await house.users.find("erin")).toMatchObject({ status: "removed" });
  });
});
