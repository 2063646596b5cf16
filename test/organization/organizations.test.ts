import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AddOrganization, addOrganization } from "../../src/organization/add-organization.ts";
import {
  type Administrator,
  createAdministrator,
  deleteAdministrator,
  listAdministrators,
  type Resource,
  updateAdministrator,
} from "../../src/organization/administrators.ts";
import { listOrganizations } from "../../src/organization/organization-queries.ts";
import type { AdministratorCondition } from "../../src/storage/administrator-repository.ts";
import type { Condition } from "../../src/storage/conditions.ts";
import type { OrganizationCondition } from "../../src/storage/organization-repository.ts";
import { createUser } from "../../src/user/create-user.ts";
import type { NewHuman } from "../../src/user/prepare-user.ts";
import { engines } from "../support/databases.ts";
import { caller } from "../support/given.ts";
import { defaultOrganization, type House, human, openHouse, owner } from "../user/house.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });

describe.each(engines)("organizations on %s", (engine) => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse(engine);
    const organizationId = await defaultOrganization(house);
    for (const name of ["ann", "ben"]) await createUser(house, owner, { organizationId, human: human(name) });
  });
  afterAll(() => house.close());

  const add = (name: string, command: Partial<AddOrganization<NewHuman>> = {}, who = owner) =>
    addOrganization(house, who, { name, admins: [], ...command });

  it("come with their first administrators, existing and new, in one append", async () => {
    const { organizationId, createdAdmins, details } = await add(" Acme ", {
      organizationId: "acme",
      admins: [
        { user: { id: "ann" }, roles: [] },
        {
          user: { human: human("zoe", { email: { text: "zoe@acme.example", verification: "return" } }) },
          roles: ["ORG_OWNER_VIEWER"],
        },
      ],
    });
    expect(organizationId).toBe("acme");
    expect(details).toMatchObject({ sequence: 3, resourceOwner: "acme" });
    expect(createdAdmins).toEqual([
      { userId: "zoe", emailCode: expect.stringMatching(/^[A-Z0-9]{6}$/), phoneCode: undefined },
    ]);
    expect(await house.organizations.find("acme")).toMatchObject({
      name: "Acme",
      primaryDomain: "acme.auth.example.com",
    });
    expect(await house.users.find("zoe")).toMatchObject({ organizationId: "acme" });
    expect(await house.organizations.membership("ann", "acme")).toMatchObject({ roles: ["ORG_OWNER"] });
    expect(await house.organizations.membership("zoe", "acme")).toMatchObject({
      roles: ["ORG_OWNER_VIEWER"],
    });
  });

  it("take org.write on the instance, whatever one is elsewhere", async () => {
    const orgOwner = caller("ann", { acme: ["ORG_OWNER"], mine: ["ORG_OWNER"] });
    await expect(add("Mine", { organizationId: "mine" }, orgOwner)).rejects.toEqual(
      slug("auth.permission_denied"),
    );
    await add("Managed", {}, caller("m", { instance: ["IAM_ORG_MANAGER"] }));
  });

  it.each([
    ["a name of another, whatever its case", "aCME", {}, "organization.exists"],
    ["an id of another", "Acme II", { organizationId: "acme" }, "organization.exists"],
    ["no name", "  ", {}, "organization.name_empty"],
    ["the instance's word for an id", "Root", { organizationId: "instance" }, "organization.id_reserved"],
    [
      "an unknown role",
      "X",
      { admins: [{ user: { id: "ann" }, roles: ["IAM_OWNER"] }] },
      "organization.role_unknown",
    ],
    [
      "an unknown user",
      "X",
      { admins: [{ user: { id: "nobody" }, roles: [] }] },
      "administrator.organization_user_not_found",
    ],
    ["nobody", "X", { admins: [{ user: undefined, roles: [] }] }, "administrator.organization_roles_missing"],
    [
      "a user twice",
      "X",
      {
        admins: [
          { user: { id: "ann" }, roles: [] },
          { user: { id: "ann" }, roles: [] },
        ],
      },
      "administrator.organization_exists",
    ],
    [
      "a person who exists",
      "X",
      { admins: [{ user: { human: human("ann") }, roles: [] }] },
      "user.id_exists",
    ],
    [
      "a name in use",
      "X",
      { admins: [{ user: { human: human("new", { username: "ben@example.com" }) }, roles: [] }] },
      "user.name_exists",
    ],
  ] as [string, string, Partial<AddOrganization<NewHuman>>, string][])(
    "are refused with %s, and nothing is stored",
    async (_, name, command, expected) => {
      const before = await listOrganizations(house, owner, {
        conditions: [],
        sort: "name",
        offset: 0,
        limit: 0,
        ascending: true,
      });
      await expect(add(name, command)).rejects.toEqual(slug(expected));
      const after = await listOrganizations(house, owner, {
        conditions: [],
        sort: "name",
        offset: 0,
        limit: 0,
        ascending: true,
      });
      expect(after.rows).toEqual(before.rows);
    },
  );

  it("have domains of their own although their names look alike", async () => {
    const [one, two] = [await add("Same & Co"), await add("Same, Co!")];
    const domains = await Promise.all(
      [one, two].map(
        async ({ organizationId }) => (await house.organizations.find(organizationId))!.primaryDomain,
      ),
    );
    expect(domains[0]).toBe("same-co.auth.example.com");
    expect(domains[1]).toMatch(/^same-co-[0-9a-f-]{36}\.auth\.example\.com$/);
    const { organizationId } = await add("日本");
    expect(await house.organizations.find(organizationId)).toMatchObject({
      primaryDomain: `${organizationId}.auth.example.com`,
    });
  });

  describe("are listed", () => {
    const names = async (conditions: OrganizationCondition[], who = owner) =>
      (
        await listOrganizations(house, who, {
          conditions,
          sort: "name",
          offset: 0,
          limit: 0,
          ascending: true,
        })
      ).rows.map(({ name }) => name);
    const match = (text: string) => ({ text, method: "contains", ignoreCase: true }) as const;

    it("by name, domain, id, state, and as the default one", async () => {
      expect(await names([{ by: "name", match: match("CME") }])).toEqual(["Acme"]);
      expect(await names([{ by: "domain", match: match("acme.AUTH") }])).toEqual(["Acme"]);
      expect(await names([{ by: "id", id: "acme" }])).toEqual(["Acme"]);
      expect(await names([{ by: "default" }])).toEqual(["Default"]);
      expect(
        await names([
          { by: "status", status: "active" },
          { by: "id", id: "acme" },
        ]),
      ).toEqual(["Acme"]);
      expect(await names([{ by: "status", status: "inactive" }])).toEqual([]);
    });

    it("to those who hold org.read there", async () => {
      expect(await names([], caller("ann", { acme: ["ORG_OWNER_VIEWER"] }))).toEqual(["Acme"]);
      expect(await names([], caller("ann", { acme: ["ORG_USER_SELF_MANAGER"] }))).toEqual([]);
      expect(await names([], caller("ann"))).toEqual([]);
    });
  });
});

describe.each(engines)("administrators on %s", (engine) => {
  let house: House;
  beforeAll(async () => {
    house = await openHouse(engine);
    await addOrganization(house, owner, { name: "Acme", organizationId: "acme", admins: [] });
    for (const name of ["ann", "ben"])
      await createUser(house, owner, { organizationId: "acme", human: human(name) });
  });
  afterAll(() => house.close());

  const instance: Resource = { kind: "instance" };
  const acme: Resource = { kind: "organization", id: "acme" };
  const orgOwner = caller("o", { acme: ["ORG_OWNER"] });
  const orgManager = caller("m", { instance: ["IAM_ORG_MANAGER"] });
  const create = (administrator: Partial<Administrator>, who = owner) =>
    createAdministrator(house, who, {
      userId: "ann",
      resource: acme,
      roles: ["ORG_OWNER"],
      ...administrator,
    });
  const remove = (administrator: Partial<Administrator>, who = owner) =>
    deleteAdministrator(house, who, { userId: "ann", resource: acme, ...administrator });

  it("are made, changed and removed; the same roles again change nothing", async () => {
    const made = await create({ roles: ["ORG_OWNER", "ORG_OWNER"] }, orgOwner);
    expect(await house.organizations.membership("ann", "acme")).toMatchObject({
      roles: ["ORG_OWNER"],
      createdAt: made.changedAt,
    });
    await expect(create({})).rejects.toEqual(slug("administrator.organization_exists"));

    const update = (roles: string[]) =>
      updateAdministrator(house, orgOwner, { userId: "ann", resource: acme, roles });
    expect(await update(["ORG_OWNER"])).toEqual(made);
    const changed = await update(["ORG_OWNER_VIEWER"]);
    expect(await house.organizations.membership("ann", "acme")).toMatchObject({
      createdAt: made.changedAt,
      changedAt: changed.changedAt,
    });

    expect(await remove({}, orgOwner)).toMatchObject({
      resourceOwner: "acme",
      sequence: changed.sequence + 1,
    });
    expect(await remove({}, orgOwner)).toBeUndefined();
    await expect(update(["ORG_OWNER"])).rejects.toEqual(slug("administrator.organization_not_found"));
  });

  it.each([
    [{ resource: { kind: "other" } }, "administrator.resource_unsupported"],
    [{ roles: [] }, "administrator.organization_roles_missing"],
    [{ roles: ["IAM_OWNER"] }, "administrator.organization_role_unknown"],
    [{ userId: "nobody" }, "administrator.organization_user_not_found"],
    [{ resource: { kind: "organization", id: "nowhere" } }, "organization.not_found"],
    [{ resource: { kind: "organization", id: "instance" } }, "organization.not_found"],
    [{ resource: instance, roles: [] }, "administrator.instance_roles_missing"],
    [{ resource: instance, roles: ["ORG_OWNER"] }, "administrator.instance_role_unknown"],
    [{ resource: instance, roles: ["IAM_OWNER"], userId: "nobody" }, "administrator.instance_user_not_found"],
  ] as [Partial<Administrator>, string][])("are refused with %j: %s", async (administrator, expected) => {
    await expect(create(administrator)).rejects.toEqual(slug(expected));
  });

  it.each([
    ["an organization's owner, on the instance", orgOwner, instance, false],
    ["an organization's owner, at home", orgOwner, acme, true],
    ["an organization's owner, elsewhere", caller("o", { other: ["ORG_OWNER"] }), acme, false],
    ["a manager of organizations, on the instance", orgManager, instance, false],
    ["a manager of organizations, on one", orgManager, acme, true],
    ["a stranger", caller("x"), acme, false],
  ] as const)("are the business of %s: %o %o", async (_, who, resource, allowed) => {
    const removal = remove({ userId: "nobody", resource }, who);
    if (allowed) expect(await removal).toBeUndefined();
    else await expect(removal).rejects.toEqual(slug("auth.permission_denied"));
  });

  it("of the instance cannot be removed by calling the instance an organization", async () => {
    await create({ userId: "ben", resource: instance, roles: ["IAM_OWNER"] });
    const disguised: Resource = { kind: "organization", id: "instance" };
    expect(await remove({ userId: "ben", resource: disguised }, orgManager)).toBeUndefined();
    expect(await house.organizations.membership("ben", "instance")).toMatchObject({ roles: ["IAM_OWNER"] });
    await remove({ userId: "ben", resource: instance });
  });

  it("made twice at once are made once", async () => {
    const results = await Promise.allSettled([create({ userId: "ben" }), create({ userId: "ben" })]);
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    await remove({ userId: "ben" });
  });

  describe("are listed", () => {
    beforeAll(async () => {
      await create({ userId: "ann", roles: ["ORG_OWNER", "ORG_USER_MANAGER"] });
      await create({ userId: "ben", resource: instance, roles: ["IAM_LOGIN_CLIENT"] });
    });

    const list = (conditions: Condition<AdministratorCondition>[], who = owner) =>
      listAdministrators(house, who, { conditions, sort: "userId", offset: 0, limit: 0, ascending: true });
    const ids = async (...conditions: Condition<AdministratorCondition>[]) =>
      (await list([{ by: "userIds", ids: ["ann", "ben"] }, ...conditions])).rows.map(({ userId }) => userId);

    it("with their user and their resource", async () => {
      const { rows, total, appliedLimit } = await list([{ by: "resourceId", id: "acme" }]);
      expect({ total, appliedLimit }).toEqual({ total: 1, appliedLimit: 100 });
      expect(rows[0]).toMatchObject({
        userId: "ann",
        resourceId: "acme",
        organizationName: "Acme",
        displayName: "ann Example",
        username: "ann@example.com",
        userOrganizationId: "acme",
        roles: ["ORG_OWNER", "ORG_USER_MANAGER"],
      });
    });

    it("by every condition", async () => {
      const match = (text: string) => ({ text, method: "startsWith", ignoreCase: true }) as const;
      expect(await ids({ by: "role", role: "ORG_USER_MANAGER" })).toEqual(["ann"]);
      expect(await ids({ by: "role", role: "ORG" })).toEqual([]);
      expect(await ids({ by: "username", match: match("BEN@") })).toEqual(["ben"]);
      expect(await ids({ by: "displayName", match: match("ann") })).toEqual(["ann"]);
      expect(await ids({ by: "userOrganizationId", id: "acme" })).toEqual(["ann", "ben"]);
      expect(await ids({ by: "not", condition: { by: "resourceId", id: "instance" } })).toEqual(["ann"]);
      expect(await ids({ by: "createdAt", comparison: "<=", at: new Date() })).toHaveLength(2);
      expect(await ids({ by: "changedAt", comparison: ">", at: new Date("2100-01-01") })).toEqual([]);
    });

    it("to those who may see them: the instance's and the organizations' apart", async () => {
      const seenBy = async (who: typeof owner) =>
        (await list([{ by: "userIds", ids: ["ann", "ben"] }], who)).total;
      expect(await seenBy(owner)).toBe(2);
      expect(await seenBy(orgManager)).toBe(1);
      expect(await seenBy(orgOwner)).toBe(1);
      expect(await seenBy(caller("ann"))).toBe(0);
    });
  });
});
