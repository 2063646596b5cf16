import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import type { Cast } from "../../support/fixtures.ts";
import { protocolsOn } from "../protocols.ts";
import { refusal } from "../settings/wire.ts";
import { details, permissionDenied, person, time, unauthenticated, uuid } from "../users/wire.ts";
import { openWalkway, type Walkway } from "./walk.ts";

const exists = refused(Code.AlreadyExists, "the account is linked to a user already", "V3-DKcYh");
const providerUnknown = refused(
  Code.FailedPrecondition,
  "identity provider could not be found",
  "COMMAND-39nf2",
);
const userUnknown = refused(Code.FailedPrecondition, "user could not be found", "COMMAND-vzktar7b7f");
const linkUnknown = refused(Code.NotFound, "link could not be found", "COMMAND-1M9xR");

describe.each(engines)("links on %s", (engine) => {
  let way: Walkway;
  let cast: Cast;
  let idpId: string;
  let users = 0;
  beforeAll(async () => {
    way = await openWalkway(engine);
    cast = way.cast;
    idpId = await way.addOidc();
  });
  afterAll(() => way.close());

  const newUser = async (organizationId = cast.home.id): Promise<string> => {
    const name = `linked-${engine}-${++users}`;
    const human = person(name, { password: { password: "Correct-Horse-7" } });
    const { id } = await way.as(cast.owner, "user", "REST")("CreateUser", { organizationId, human });
    return id as string;
  };
  const link = (userId: string, userName = "outside", provider = idpId) => ({
    idpId: provider,
    userId,
    userName,
  });

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    const as = (caller: { token: string } | undefined) => way.as(caller, "user", protocol);
    const fresh = (name: string) => `${name}-${protocol}-${engine}`;

    test("are added, listed and removed", async () => {
      const userId = await newUser();
      const [first, second] = [link(fresh("first"), "One"), link(fresh("second"), "Two")];
      const ask = as(cast.owner);
      const { details: added } = await ask("AddIDPLink", { userId, idpLink: first });
      expect(added).toMatchObject({ resourceOwner: cast.home.id, changeDate: time });
      await ask("AddIDPLink", { userId, idpLink: second });
      expect(await ask("ListIDPLinks", { userId })).toEqual({
        details: { totalResult: "2", timestamp: time },
        result: [second, first],
      });
      const page = { offset: "1", limit: 1, asc: true };
      expect(await ask("ListIDPLinks", { userId, query: page })).toEqual({
        details: { totalResult: "2", timestamp: time },
        result: [second],
      });
      const gone = { userId, idpId, linkedUserId: first.userId };
      const { details: removed } = await ask("RemoveIDPLink", gone);
      // The second link, the removal of the first, and with it the end of the sessions.
      expect(Number((removed as JsonObject).sequence)).toBe(Number((added as JsonObject).sequence) + 3);
      expect((await ask("ListIDPLinks", { userId })).result).toEqual([second]);
      expect(await refusal(ask("RemoveIDPLink", gone))).toEqual(linkUnknown);
    });

    test("belong to one user, and are free again once removed", async () => {
      const [one, other] = [await newUser(), await newUser()];
      const idpLink = link(fresh("only"));
      const ask = as(cast.owner);
      await ask("AddIDPLink", { userId: one, idpLink });
      expect(await refusal(ask("AddIDPLink", { userId: other, idpLink }))).toEqual(exists);
      expect(await refusal(ask("AddIDPLink", { userId: one, idpLink }))).toEqual(exists);
      await ask("RemoveIDPLink", { userId: one, idpId, linkedUserId: idpLink.userId });
      await ask("AddIDPLink", { userId: other, idpLink });
      await ask("DeleteUser", { userId: other });
      await ask("AddIDPLink", { userId: one, idpLink });
    });

    test("are refused where user, provider or account are not what they should be", async () => {
      const userId = await newUser();
      const ask = as(cast.owner);
      const add = (who: string, idpLink: JsonObject) => refusal(ask("AddIDPLink", { userId: who, idpLink }));
      expect(await add("nobody", link("x"))).toEqual(userUnknown);
      expect(await add(cast.nobody.id, link("x"))).toEqual(userUnknown);
      expect(await add(userId, link("x", "y", "nobody"))).toEqual(providerUnknown);
      for (const field of ["idpId", "userId", "userName"]) {
        expect((await add(userId, { ...link("x"), [field]: "" })).code).toBe(Code.InvalidArgument);
        expect((await add(userId, { ...link("x"), [field]: "x".repeat(201) })).code).toBe(
          Code.InvalidArgument,
        );
      }
      expect((await add("", link("x"))).code).toBe(Code.InvalidArgument);
      expect((await refusal(ask("AddIDPLink", { userId }))).code).toBe(Code.InvalidArgument);
      expect(await refusal(ask("RemoveIDPLink", { userId, idpId, linkedUserId: "x" }))).toEqual(linkUnknown);
      expect((await refusal(ask("ListIDPLinks", { userId, query: { limit: 1001 } }))).code).toBe(
        Code.InvalidArgument,
      );
    });

    test("are nobody's business without the permission, whether the user exists or not", async () => {
      const userId = await newUser();
      await way.link(userId, idpId, fresh("secret"));
      for (const who of [cast.nobody, cast.otherOrgOwner, cast.viewer]) {
        for (const target of [userId, "nobody"]) {
          const idpLink = link(fresh("taken"));
          const gone = { userId: target, idpId, linkedUserId: fresh("secret") };
          expect(await refusal(as(who)("AddIDPLink", { userId: target, idpLink }))).toEqual(permissionDenied);
          expect(await refusal(as(who)("RemoveIDPLink", gone))).toEqual(permissionDenied);
        }
      }
      const seen = async (who: { token: string }, target = userId) =>
        ((await as(who)("ListIDPLinks", { userId: target })).details as JsonObject).totalResult ?? "0";
      expect(await seen(cast.nobody)).toBe("0");
      expect(await seen(cast.otherOrgOwner)).toBe("0");
      expect(await seen(cast.viewer)).not.toBe("0");
      expect(await seen(cast.orgOwner)).not.toBe("0");
      expect(await seen(cast.owner, "nobody")).toBe("0");
      const { code } = await refusal(as(undefined)("ListIDPLinks", { userId }));
      expect(code).toBe(unauthenticated.code);
    });

    test("come with a new user, older way and newer", async () => {
      const ask = way.as(cast.owner, "user", protocol === "REST" ? "REST" : protocol);
      const idpLinks = [link(fresh("new-1"), "One"), link(fresh("new-2"), "Two")];
      const { userId } = await ask("AddHumanUser", person(fresh("older"), { idpLinks }));
      const { result } = await ask("ListIDPLinks", { userId: userId!, query: { asc: true } });
      expect(result).toEqual(idpLinks);

      const human = person(fresh("newer"), { idpLinks });
      const create = (changes: JsonObject = {}) =>
        ask("CreateUser", { organizationId: cast.home.id, human: { ...human, ...changes } });
      expect(await refusal(create())).toEqual(exists);
      expect(await refusal(create({ idpLinks: [link("x"), link("x", "again")] }))).toEqual(exists);
      expect(await refusal(create({ idpLinks: [link("x"), link("y", "y", "nobody")] }))).toEqual(
        providerUnknown,
      );
      const { id } = await create({ idpLinks: [link(fresh("new-3"))] });
      expect(id).toEqual(uuid);
    });
  });

  test("are one's own to add, read and remove", async () => {
    const { sessionToken } = await way.as(cast.loginClient, "session")("CreateSession", {
      checks: { user: { userId: cast.zoe.id }, password: { password: "Correct-Horse-7" } },
    });
    const self = way.as({ token: sessionToken as string }, "user");
    const idpLink = link("own");
    await self("AddIDPLink", { userId: cast.zoe.id, idpLink });
    expect((await self("ListIDPLinks", { userId: cast.zoe.id })).result).toEqual([idpLink]);
    await self("RemoveIDPLink", { userId: cast.zoe.id, idpId, linkedUserId: "own" });
    expect(await refusal(self("AddIDPLink", { userId: cast.mia.id, idpLink }))).toEqual(permissionDenied);
    expect((await self("ListIDPLinks", { userId: cast.mia.id })).result).toBeUndefined();
  });

  test("go to providers of the instance or of one's own organization, not of another", async () => {
    const elsewhere = { "x-zitadel-orgid": cast.elsewhere.id };
    const provider = { name: "theirs", issuer: way.provider.issuer, clientId: "c", clientSecret: "s" };
    const manage = way.as(cast.otherOrgOwner, "management");
    const { id } = await manage("AddGenericOIDCProvider", provider, elsewhere);
    const add = (userId: string) =>
      way.as(cast.owner, "user")("AddIDPLink", { userId, idpLink: link("x", "x", id as string) });
    expect(await refusal(add(cast.mia.id))).toEqual(providerUnknown);
    await add(cast.otto.id);
  });

  test("of one account go to one of twenty users who ask at once", async () => {
    const userIds = await Promise.all(Array.from({ length: 20 }, () => newUser()));
    const outcomes = await Promise.all(
      userIds.map((userId) =>
        way
          .link(userId, idpId, "contended")
          .then(() => "ok")
          .catch(async (error: unknown) => (await refusal(Promise.reject(error))).id),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === "ok")).toHaveLength(1);
    expect(new Set(outcomes)).toEqual(new Set(["ok", exists.id]));
  });

  test("are at most a hundred", async () => {
    const userId = await newUser();
    for (let number = 0; number < 100; number++) await way.link(userId, idpId, `many-${number}`);
    expect(await refusal(way.link(userId, idpId, "too-many"))).toEqual(
      refused(Code.FailedPrecondition, "a user has at most 100 links", "GATE-1dpLm"),
    );
    expect((await way.as(cast.owner, "user")("ListIDPLinks", { userId })).details).toMatchObject({
      totalResult: "100",
    });
  });

  test("count as the user's event", async () => {
    const userId = await newUser();
    const before = (await way.as(cast.owner, "user")("GetUserByID", { userId })).details as JsonObject;
    const { details: after } = await way.link(userId, idpId, "counted");
    expect(after).toEqual(details(Number(before.sequence) + 1, cast.home.id));
  });
});
