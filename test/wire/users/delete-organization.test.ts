import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { importedHash } from "../../crash/people.ts";
import { until } from "../../crash/poll.ts";
import { refusalOf, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, signIn, startHouse, streamOf } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { asking as askingOlder, refusal as refusalOfOlder } from "../settings/wire.ts";
import {
  asking,
  type Call,
  idsOf,
  permissionDenied,
  person,
  refusal,
  time,
  unauthenticated,
} from "./wire.ts";

const failed = (text: string, id: string) => refused(Code.FailedPrecondition, text, id);
const unknown = refused(Code.NotFound, "organization could not be found", "GATE-0rgNf");
const userNotFound = refused(Code.NotFound, "user could not be found", "QUERY-Dfbg2");
const FAR = "2100-01-01T00:00:00Z";

describe.each(engines)("DeleteOrganization on %s", (engine) => {
  let house: House;
  let cast: Cast;
  let ask: Call;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
    ask = asking(house, cast.owner);
  });
  afterAll(() => house.close());

  let organizations = 0;
  /** With a person who has two sessions, a program that has a token, a provider, and a member from elsewhere. */
  const settled = async () => {
    organizations += 1;
    const name = `Tenant ${organizations}`;
    const { organizationId } = (await ask("AddOrganization", { name })) as { organizationId: string };
    const human = person(`tenant-${organizations}`, { hashedPassword: { hash: importedHash(1) } });
    const userId = (await ask("CreateUser", { organizationId, human })).id as string;
    const bot = (await ask("CreateUser", { organizationId, machine: { name: "Bot" } })).id as string;
    const { token } = (await ask("AddPersonalAccessToken", { userId: bot, expirationDate: FAR })) as {
      token: string;
    };
    const resource: JsonObject = { organizationId };
    await ask("CreateAdministrator", { userId: cast.nobody.id, resource, roles: ["ORG_OWNER"] });
    await ask("CreateAdministrator", {
      userId: bot,
      resource: { organizationId: cast.home.id },
      roles: ["ORG_OWNER"],
    });
    const management = askingOlder(house, "management", cast.owner);
    const github = { name: "GitHub", clientId: "id", clientSecret: "secret" };
    const header = { "x-zitadel-orgid": organizationId };
    const { id: idpId } = (await management("AddGitHubProvider", github, header)) as { id: string };
    const login = house.as(cast.loginClient);
    const sessions = [];
    for (let count = 0; count < 2; count++) {
      const { sessionId, sessionToken } = await login.createSession({ checks: signIn({ id: userId }) });
      sessions.push({ id: sessionId, token: sessionToken });
    }
    return { name, organizationId, human, userId, bot, token, idpId, sessions };
  };
  const listed = async (id: string) =>
    idsOf((await ask("ListOrganizations", { queries: [{ idQuery: { id } }] })).result);

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test("leaves nothing of it that works, from the answer on", async () => {
      const { name, organizationId, human, userId, bot, token, idpId, sessions } = await settled();
      const program = asking(house, { token });
      expect((await program("GetUserByID", { userId: cast.mia.id })).user).toBeDefined();

      const remove = asking(house, cast.owner, protocol);
      expect(await remove("DeleteOrganization", { organizationId })).toEqual({ deletionDate: time });

      expect(await refusal(program("GetUserByID", { userId: cast.mia.id }))).toEqual(unauthenticated);
      for (const session of sessions) {
        const gone = { id: "QUERY-SFeaa", code: Code.NotFound };
        expect(await refusalOf(house.as(session).listSessions({}))).toMatchObject(gone);
        const read = house.as(cast.owner).getSession({ sessionId: session.id });
        expect(await refusalOf(read)).toMatchObject(gone);
        const set = house.as(cast.loginClient).setSession({ sessionId: session.id });
        expect(await refusalOf(set)).toMatchObject({ code: Code.FailedPrecondition });
      }
      for (const id of [userId, bot]) {
        expect(await refusal(ask("GetUserByID", { userId: id }))).toEqual(userNotFound);
      }
      expect(await listed(organizationId)).toEqual([]);
      const filters = [{ inUserIdsFilter: { ids: [bot, cast.nobody.id] } }];
      expect(await ask("ListAdministrators", { filters })).not.toHaveProperty("administrators");
      const provider = askingOlder(house, "idp", cast.owner)("GetIDPByID", { id: idpId });
      expect(await refusalOfOlder(provider)).toMatchObject({ code: Code.NotFound });
      const about = { "x-zitadel-orgid": organizationId };
      expect(await refusal(ask("GetUserByID", { userId: cast.mia.id }, about))).toMatchObject({
        id: "AUTH-Bs7Ds",
      });
      for (const again of ["DeleteOrganization", "CreateUser"] as const) {
        const request: JsonObject = { organizationId };
        if (again === "CreateUser") request.machine = { name: "Bot" };
        expect(await refusal(remove(again, request))).toEqual(unknown);
      }

      // The names are free.
      const next = (await ask("AddOrganization", { name })).organizationId as string;
      await ask("CreateUser", { organizationId: next, human });
      expect(await listed(next)).toEqual([next]);
    });
  });

  test("is told in the stream of everybody and of each of their sessions, once", async () => {
    const { organizationId, userId, sessions } = await settled();
    const { id: theirs } = (await ask("CreateUser", {
      organizationId,
      machine: { name: "Bot" },
    })) as { id: string };
    await ask("DeleteOrganization", { organizationId });
    await until("everybody to be erased", async () => {
      const metrics = await (await fetch(`${house.url}/debug/metrics`)).text();
      return /^gatehouse_upkeep_waiting_seconds\{task="erase users"\} 0$/m.test(metrics);
    });
    const [user, bot, organization, ...ended] = await house.operate(async (database) => [
      await streamOf(database, "user", userId),
      await streamOf(database, "user", theirs),
      await streamOf(database, "org", organizationId),
      ...(await Promise.all(sessions.map(({ id }) => streamOf(database, "session", id)))),
    ]);
    const removed = {
      type: "user.removed",
      payload: { organizationRemoved: true },
      actorId: cast.owner.id,
      createdAt: organization!.at(-1)!.createdAt,
    };
    expect([user!.at(-1), bot!.at(-1)]).toMatchObject([removed, removed]);
    expect(organization!.at(-1)!.type).toBe("org.removed");
    // All that is left of a session once its user is erased.
    for (const stream of ended) {
      expect(stream).toMatchObject([
        {
          type: "session.summarized",
          actorId: cast.owner.id,
          payload: {
            ending: { reason: "organization_removed", actorId: cast.owner.id },
            endedAt: organization!.at(-1)!.createdAt.toISOString(),
          },
        },
      ]);
    }
  });

  test("is refused for the default organization, and to those who may not know of any other", async () => {
    const home = { organizationId: cast.home.id };
    expect(await refusal(ask("DeleteOrganization", home))).toEqual(
      failed("the default organization cannot be removed", "GATE-0rgDf"),
    );
    const nowhere = { organizationId: "nowhere" };
    expect(await refusal(ask("DeleteOrganization", nowhere))).toEqual(unknown);
    for (const who of [cast.otherOrgOwner, cast.loginClient, cast.viewer, cast.nobody]) {
      for (const request of [home, nowhere, { organizationId: cast.elsewhere.id }]) {
        expect(await refusal(asking(house, who)("DeleteOrganization", request))).toEqual(permissionDenied);
      }
    }
    expect(await refusal(ask("DeleteOrganization", {}))).toMatchObject({ code: Code.InvalidArgument });
    expect(await listed(cast.elsewhere.id)).toEqual([cast.elsewhere.id]);
  });

  test("by the older service removes the organization the call is about", async () => {
    const { organizationId, userId } = await settled();
    const header = { "x-zitadel-orgid": organizationId };
    const denied = askingOlder(house, "management", cast.otherOrgOwner)("RemoveOrg", {}, header);
    expect(await refusalOfOlder(denied)).toMatchObject({ id: "AUTH-5mWD2" });
    const { details } = (await askingOlder(house, "management", cast.owner)("RemoveOrg", {}, header)) as {
      details: JsonObject;
    };
    expect(details).toMatchObject({ resourceOwner: organizationId });
    expect(await refusal(ask("GetUserByID", { userId }))).toEqual(userNotFound);
    const again = askingOlder(house, "management", cast.owner)("RemoveOrg", {});
    expect(await refusalOfOlder(again)).toMatchObject({ id: "GATE-0rgDf" });
  });
});
