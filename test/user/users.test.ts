import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { callerOfToken } from "../../src/auth/personal-access-token.ts";
import { createAdministrator } from "../../src/organization/administrators.ts";
import { change } from "../../src/storage/aggregate.ts";
import { addHumanUser, createUser } from "../../src/user/create-user.ts";
import { deleteUser } from "../../src/user/delete-user.ts";
import {
  addPersonalAccessToken,
  listPersonalAccessTokens,
  removePersonalAccessToken,
} from "../../src/user/personal-access-tokens.ts";
import type { NewHuman } from "../../src/user/prepare-user.ts";
import { setPassword } from "../../src/user/set-password.ts";
import { updateUser } from "../../src/user/update-user.ts";
import { userAggregate } from "../../src/user/user.ts";
import { changeUserState } from "../../src/user/user-state.ts";
import { engines } from "../support/databases.ts";
import { caller } from "../support/given.ts";
import {
  changeLockout,
  defaultOrganization,
  type House,
  human,
  openHouse,
  owner,
  PASSWORD,
} from "./house.ts";

const slug = (name: string) => expect.objectContaining({ slug: name });
const page = { conditions: [], sort: "createdAt", offset: 0, limit: 0, ascending: true } as const;

describe.each(engines)("users on %s", (engine) => {
  let house: House;
  let organizationId: string;
  beforeAll(async () => {
    house = await openHouse(engine);
    organizationId = await defaultOrganization(house);
  });
  afterAll(() => house.close());

  const add = (name: string, changes?: Partial<NewHuman>) =>
    createUser(house, owner, { organizationId, human: human(name, changes) });
  const addBot = (userId: string) =>
    createUser(house, owner, {
      organizationId,
      machine: { userId, name: userId, accessTokenType: 0, metadata: [] },
    });
  const withPassword = { password: { password: PASSWORD, changeRequired: false } };

  it("are created with details of their own stream, and codes that were asked for", async () => {
    const { details, userId, emailCode } = await add("ada", {
      email: { text: "ada@example.com", verification: "return" },
    });
    expect(userId).toBe("ada");
    expect(emailCode).toMatch(/^[A-Z0-9]{6}$/);
    expect(details).toMatchObject({
      sequence: 2,
      resourceOwner: organizationId,
      createdAt: details.changedAt,
    });
    expect(await house.users.find("ada")).toMatchObject({
      status: "active",
      emailVerified: false,
      username: "ada@example.com",
    });
  });

  it("have an id and a user name of their own, whatever the case", async () => {
    await add("bea");
    await expect(add("bea")).rejects.toEqual(slug("user.id_exists"));
    await expect(add("bea2", { username: "BEA@example.com" })).rejects.toEqual(slug("user.name_exists"));
    const [one, two] = await Promise.allSettled([add("race"), add("race")]);
    expect([one.status, two.status].sort()).toEqual(["fulfilled", "rejected"]);
    expect([one, two].find(({ status }) => status === "rejected")).toMatchObject({
      reason: slug("user.id_exists"),
    });
  });

  it("are not created in an organization that does not exist", async () => {
    const nowhere = { organizationId: "nowhere", human: human("nobody") };
    await expect(createUser(house, owner, nowhere)).rejects.toEqual(slug("organization.not_found"));
    const stranger = caller("stranger", { elsewhere: ["ORG_OWNER"] });
    await expect(createUser(house, stranger, nowhere)).rejects.toEqual(slug("auth.permission_denied"));
  });

  it("are not created with an account at a provider nobody knows, and nothing of them is stored", async () => {
    const refused = add("tom", { idpLinks: [{ idpId: "none", externalUserId: "1", displayName: "tom" }] });
    await expect(refused).rejects.toEqual(slug("user.idp_link_provider_unknown"));
    expect(await house.users.find("tom")).toBeUndefined();
  });

  it("are added the older way by domain, by id, or in the caller's organization", async () => {
    const { primaryDomain } = (await house.organizations.find(organizationId))!;
    const inContext = { ...owner, contextOrganizationId: organizationId };
    const owners = await Promise.all([
      addHumanUser(house, owner, {
        organization: { domain: primaryDomain.toUpperCase() },
        human: human("old1"),
      }),
      addHumanUser(house, owner, { organization: { id: organizationId }, human: human("old2") }),
      addHumanUser(house, inContext, { human: human("old3") }),
    ]);
    expect(owners.map(({ details }) => details.resourceOwner)).toEqual(Array(3).fill(organizationId));
    const unknown = addHumanUser(house, owner, { organization: { id: "nowhere" }, human: human("old4") });
    await expect(unknown).rejects.toEqual(slug("auth.organization_unknown"));
    const denied = addHumanUser(house, caller("x"), {
      organization: { id: organizationId },
      human: human("old4"),
    });
    await expect(denied).rejects.toEqual(slug("auth.method_permission_denied"));
  });

  it("change by what differs; the same again leaves the sequence alone", async () => {
    await add("cleo");
    const profile = { givenName: "Cleopatra" };
    const first = await updateUser(house, caller("cleo"), {
      userId: "cleo",
      metadata: [],
      human: { profile },
    });
    const second = await updateUser(house, caller("cleo"), {
      userId: "cleo",
      metadata: [],
      human: { profile },
    });
    expect(first.details.sequence).toBe(3);
    expect(second.details).toEqual(first.details);
  });

  it("do not vouch for their own addresses and do not skip the proof of their own password", async () => {
    await add("dora", withPassword);
    const attempt = (humanChanges: NonNullable<Parameters<typeof updateUser>[2]["human"]>) =>
      updateUser(house, caller("dora"), { userId: "dora", metadata: [], human: humanChanges });
    const denied = slug("auth.permission_denied");
    await expect(attempt({ email: { text: "d@example.com", verification: "verified" } })).rejects.toEqual(
      denied,
    );
    await expect(attempt({ email: { text: "d@example.com", verification: "return" } })).rejects.toEqual(
      denied,
    );
    await expect(attempt({ phone: { text: "+41791234567", verification: "verified" } })).rejects.toEqual(
      denied,
    );
    await expect(
      attempt({ password: { password: { password: "Another-1!", changeRequired: false } } }),
    ).rejects.toEqual(denied);
    await attempt({ email: { text: "d@example.com", verification: "send" } });
    expect(await house.users.find("dora")).toMatchObject({ email: "d@example.com", emailVerified: false });
  });

  describe("set a new password", () => {
    const fresh = { password: "Battery-Staple-2", changeRequired: false };

    it("with the current one, which must be right and differ", async () => {
      await add("eva", withPassword);
      const set = (currentPassword: string, password = fresh) =>
        setPassword(house, caller("eva"), { userId: "eva", password, proof: { currentPassword } });
      const same = { password: PASSWORD, changeRequired: false };
      await expect(set(PASSWORD, same)).rejects.toEqual(slug("user.password_unchanged"));
      await expect(set("wrong")).rejects.toMatchObject({ slug: "user.password_invalid", failedAttempts: 1 });
      expect(await house.users.find("eva")).toMatchObject({ passwordFailedAttempts: 1, passwordEpoch: 0 });
      await set(PASSWORD);
      expect(await house.users.find("eva")).toMatchObject({ passwordFailedAttempts: 0, passwordEpoch: 1 });
      await expect(set(PASSWORD)).rejects.toMatchObject({ slug: "user.password_invalid" });
    });

    it("not by guessing: a burst of wrong ones locks at the limit and spends no more", async () => {
      await changeLockout(house, 3);
      await add("fay", withPassword);
      const guess = () =>
        setPassword(house, caller("fay"), {
          userId: "fay",
          password: fresh,
          proof: { currentPassword: "wrong" },
        });
      const results = await Promise.allSettled(Array.from({ length: 6 }, guess));
      const slugs = results.map((result) => (result as PromiseRejectedResult).reason.slug).sort();
      expect(slugs).toEqual([
        ...Array(3).fill("user.password_invalid"),
        ...Array(3).fill("user.password_locked"),
      ]);
      expect(await house.users.find("fay")).toMatchObject({ status: "locked", passwordFailedAttempts: 3 });
      await changeLockout(house, 0);
    });

    it.each(["SetPassword", "UpdateUser"])(
      "not by guessing fast: %s answers the tenth wrong one late",
      async (rpc) => {
        const userId = `hal-${rpc}`;
        await add(userId, withPassword);
        const waits: number[] = [];
        const dependencies = {
          ...house,
          delay: async (milliseconds: number) => void waits.push(milliseconds),
        };
        const password = { password: fresh, proof: { currentPassword: "wrong" } };
        const guess = (): Promise<unknown> =>
          rpc === "SetPassword"
            ? setPassword(dependencies, caller(userId), { userId, ...password })
            : updateUser(dependencies, caller(userId), { userId, human: { password }, metadata: [] });
        for (let guesses = 1; guesses <= 10; guesses++) {
          await expect(guess()).rejects.toMatchObject({
            slug: "user.password_invalid",
            failedAttempts: guesses,
          });
          expect(waits).toEqual(guesses < 10 ? [] : [1_000]);
        }
      },
    );

    it("by permission without any proof, which being the user is not", async () => {
      await add("gia", withPassword);
      const command = { userId: "gia", password: fresh };
      await expect(setPassword(house, caller("gia"), command)).rejects.toEqual(
        slug("auth.permission_denied"),
      );
      await setPassword(house, owner, command);
      const weak = { userId: "gia", password: { password: "weak", changeRequired: false } };
      await expect(setPassword(house, owner, weak)).rejects.toEqual(slug("user.password_too_short"));
    });

    it("not with a code, and the code's refusal does not tell who exists", async () => {
      const proof = { verificationCode: "ABC123" };
      const by = (who: typeof owner, userId: string) =>
        setPassword(house, who, { userId, password: fresh, proof });
      await expect(by(caller("x"), "ada")).rejects.toEqual(slug("user.password_code_missing"));
      await expect(by(caller("x"), "nobody")).rejects.toEqual(slug("user.password_code_missing"));
      await expect(by(owner, "nobody")).rejects.toEqual(slug("user.password_user_not_found"));
    });
  });

  it("change state, and are refused with the slug of the act", async () => {
    await add("hal");
    expect((await changeUserState(house, owner, "lock", "hal")).sequence).toBe(3);
    await expect(changeUserState(house, owner, "lock", "hal")).rejects.toEqual(slug("user.lock_not_active"));
    await expect(changeUserState(house, owner, "unlock", "nobody")).rejects.toEqual(
      slug("user.unlock_not_found"),
    );
    await expect(changeUserState(house, caller("hal"), "unlock", "hal")).rejects.toEqual(
      slug("auth.permission_denied"),
    );
  });

  it("lose tokens and roles when they are removed, in one append, and leave id and name free", async () => {
    await addBot("ida");
    const instance = { kind: "instance" } as const;
    await createAdministrator(house, owner, { userId: "ida", resource: instance, roles: ["IAM_OWNER"] });
    await createAdministrator(house, owner, {
      userId: "ida",
      resource: { kind: "organization", id: organizationId },
      roles: ["ORG_OWNER"],
    });
    const { token } = await addPersonalAccessToken(house, owner, { userId: "ida" });
    expect(await callerOfToken(house.callers, token)).toMatchObject({ userId: "ida" });

    await expect(deleteUser(house, caller("ida"), "ida")).rejects.toEqual(slug("auth.permission_denied"));
    await deleteUser(house, owner, "ida");
    await expect(callerOfToken(house.callers, token)).rejects.toEqual(slug("auth.token_invalid"));
    expect(await house.organizations.membershipsOf("ida")).toEqual([]);
    await expect(deleteUser(house, owner, "ida")).rejects.toEqual(slug("user.delete_not_found"));

    const { details } = await add("ida", { username: "ida" });
    expect(details.sequence).toBeGreaterThan(3);
    expect(await house.users.find("ida")).toMatchObject({ status: "active", type: "human", sessionEpoch: 1 });
  });

  it("come back to life under an old id without the roles a race may have left behind", async () => {
    await add("lea");
    await createAdministrator(house, owner, {
      userId: "lea",
      resource: { kind: "instance" },
      roles: ["IAM_OWNER"],
    });
    const lea = (await house.users.find("lea"))!;
    await house.events.append([change(userAggregate, lea, [{ type: "user.removed", payload: {} }], "owner")]);
    expect(await house.organizations.membershipsOf("lea")).toHaveLength(1);
    await add("lea");
    expect(await house.organizations.membershipsOf("lea")).toEqual([]);
  });

  it("cannot become administrators while they are removed", async () => {
    await add("jan");
    let removal: Promise<unknown> | undefined;
    const users = Object.create(house.users, {
      // The removal lands between the look at the user and the grant.
      find: {
        value: async (id: string) => {
          const found = await house.users.find(id);
          removal ??= deleteUser(house, owner, "jan");
          await removal;
          return found;
        },
      },
    });
    const grant = { userId: "jan", resource: { kind: "instance" as const }, roles: ["IAM_OWNER"] };
    await expect(createAdministrator({ ...house, users }, owner, grant)).rejects.toEqual(
      slug("administrator.instance_user_not_found"),
    );
    expect(await house.organizations.membershipsOf("jan")).toEqual([]);
  });

  describe("have personal access tokens", () => {
    it("which only service accounts do, and which never begin in the past", async () => {
      await add("kim");
      await addBot("bot1");
      const addToken = (userId: string, expiresAt?: Date) =>
        addPersonalAccessToken(house, owner, { userId, expiresAt });
      await expect(addToken("kim")).rejects.toEqual(slug("user.pat_not_machine"));
      await expect(addToken("nobody")).rejects.toEqual(slug("user.pat_user_not_found"));
      await expect(addToken("bot1", new Date(0))).rejects.toEqual(slug("user.pat_expired"));
    });

    it("which are listed to those who may read the user, never with their text, and revoked at once", async () => {
      await addBot("bot2");
      await addBot("bot3");
      const mine = await addPersonalAccessToken(house, caller("bot2"), {
        userId: "bot2",
        expiresAt: new Date("2100-01-01"),
      });
      const other = await addPersonalAccessToken(house, owner, { userId: "bot3" });
      const own = await listPersonalAccessTokens(house, caller("bot2"), page);
      expect(own).toMatchObject({ total: 1, appliedLimit: 100 });
      expect(own.rows).toMatchObject([
        { id: mine.tokenId, userId: "bot2", expiresAt: new Date("2100-01-01") },
      ]);
      const conditions = [{ by: "expiresAt", comparison: ">", at: new Date("2100-01-02") }] as const;
      const never = await listPersonalAccessTokens(house, owner, { ...page, conditions, sort: "expiresAt" });
      expect(never.rows.map(({ id }) => id)).toContain(other.tokenId);
      expect(never.rows.map(({ id }) => id)).not.toContain(mine.tokenId);

      const foreign = { userId: "bot2", tokenId: other.tokenId };
      await expect(removePersonalAccessToken(house, caller("bot2"), foreign)).rejects.toEqual(
        slug("user.pat_not_found"),
      );
      await removePersonalAccessToken(house, caller("bot2"), { userId: "bot2", tokenId: mine.tokenId });
      await expect(callerOfToken(house.callers, mine.token)).rejects.toEqual(slug("auth.token_invalid"));
    });
  });
});
