import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { organizationById } from "../../src/organization/instance-queries.ts";
import { changeSecretGenerator } from "../../src/organization/secret-generators.ts";
import {
  addOrganizationLockout,
  changeLockout,
  changeOrganizationLockout,
  resetOrganizationLockout,
} from "../../src/organization/settings/lockout.ts";
import {
  allowFactor,
  changeLoginRules,
  forbidFactor,
  offerIdentityProvider,
  withdrawIdentityProvider,
} from "../../src/organization/settings/login-settings.ts";
import {
  changePasswordAge,
  changePasswordComplexity,
} from "../../src/organization/settings/password-settings.ts";
import { settingsOf } from "../../src/organization/settings/settings.ts";
import {
  activeIdentityProviders,
  settingsInForce,
} from "../../src/organization/settings/settings-queries.ts";
import { engines } from "../support/databases.ts";
import { caller } from "../support/given.ts";
import { defaultOrganization, type House, openHouse, owner } from "../user/house.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });
const limits = { maxPasswordAttempts: 3, maxOtpAttempts: 4 };

describe.each(engines)("settings of the organization room on %s", (engine) => {
  let house: House;
  let home: string;
  beforeAll(async () => {
    house = await openHouse(engine);
    home = await defaultOrganization(house);
  });
  afterAll(() => house.close());

  const fresh = async () => settingsOf((await house.organizations.instance())!);
  const generator = {
    length: 8,
    lifetimeMs: 0,
    lowerLetters: false,
    upperLetters: false,
    digits: true,
    symbols: false,
  };

  // The transport asks for the same permissions; whoever comes another way is asked here.
  it("are the instance owner's to change, whichever door the caller came by", async () => {
    const orgOwner = caller("org-owner", { [home]: ["ORG_OWNER"] });
    const viewer = caller("viewer", { instance: ["IAM_OWNER_VIEWER"] });
    const { passwordComplexity, passwordAge, login } = await fresh();
    for (const who of [orgOwner, viewer, caller("nobody")]) {
      const commands = [
        changeLockout(house, who, limits),
        changePasswordComplexity(house, who, { ...passwordComplexity, minLength: 9 }),
        changePasswordAge(house, who, { ...passwordAge, maxAgeDays: 9 }),
        changeLoginRules(house, who, { ...login, forceMfa: true }),
        allowFactor(house, who, "secondFactor", 5),
        forbidFactor(house, who, "multiFactor", 1),
        offerIdentityProvider(house, who, "idp"),
        withdrawIdentityProvider(house, who, "idp"),
        changeSecretGenerator(house, who, 7, generator),
      ];
      const refusals = await Promise.all(commands.map((command) => command.catch((error) => error)));
      expect(refusals).toEqual(commands.map(() => slug("auth.permission_denied")));
    }
    expect(await fresh()).toEqual(settingsOf({ settings: {} }));
  });

  it("of an organization are its owner's", async () => {
    const stranger = caller("stranger", { elsewhere: ["ORG_OWNER"] });
    const manager = caller("manager", { [home]: ["ORG_USER_MANAGER"] });
    for (const who of [stranger, manager]) {
      const commands = [
        addOrganizationLockout(house, who, home, limits),
        changeOrganizationLockout(house, who, home, limits),
        resetOrganizationLockout(house, who, home),
      ];
      const refusals = await Promise.all(commands.map((command) => command.catch((error) => error)));
      expect(refusals).toEqual(commands.map(() => slug("auth.permission_denied")));
    }
    await expect(organizationById(house, stranger, home)).rejects.toEqual(slug("auth.permission_denied"));
    const keeper = caller("keeper", { [home]: ["ORG_SETTINGS_MANAGER"] });
    expect(await addOrganizationLockout(house, keeper, home, limits)).toMatchObject({ resourceOwner: home });
    expect(await resetOrganizationLockout(house, keeper, home)).toMatchObject({ resourceOwner: home });
  });

  it("of an organization that is not cannot be changed by anybody", async () => {
    await expect(addOrganizationLockout(house, owner, "nowhere", limits)).rejects.toEqual(
      slug("organization.not_found"),
    );
    await expect(organizationById(house, owner, "nowhere")).rejects.toEqual(slug("organization.not_found"));
  });

  it("are told to whoever may read policies there", async () => {
    const manager = caller("manager", { [home]: ["ORG_USER_MANAGER"] });
    const here = { organizationId: home };
    expect((await settingsInForce(house, manager, here)).lockout.owner).toBe("instance");
    for (const where of ["instance", undefined] as const) {
      await expect(settingsInForce(house, manager, where)).rejects.toEqual(
        slug(where === "instance" ? "auth.method_permission_denied" : "auth.organization_unknown"),
      );
      await expect(activeIdentityProviders(house, manager, where, {})).rejects.toThrow();
    }
  });

  it("answer a change with the sequence, the time and the owner of the instance", async () => {
    const before = (await house.organizations.instance())!;
    const details = await changeLockout(house, owner, limits);
    const after = (await house.organizations.instance())!;
    expect(details).toEqual({
      sequence: before.sequence + 1,
      createdAt: before.createdAt,
      changedAt: after.changedAt,
      resourceOwner: after.id,
    });
    expect([after.maxPasswordAttempts, after.maxOtpAttempts]).toEqual([3, 4]);
    expect(await changeLockout(house, owner, limits)).toEqual(details);
  });
});
