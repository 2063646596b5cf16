import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { identityProviderAggregate } from "../../../src/idp/identity-provider.ts";
import type { OrganizationEvent } from "../../../src/organization/events.ts";
import { organizationAggregate } from "../../../src/organization/organization.ts";
import { projections } from "../../../src/projections/projections.ts";
import { change } from "../../../src/storage/aggregate.ts";
import { EventRepository } from "../../../src/storage/event-repository.ts";
import { OrganizationRepository } from "../../../src/storage/organization-repository.ts";
import { refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, startHouse } from "../../support/fixtures.ts";
import { protocols, protocolsOn } from "../protocols.ts";
import { time, unauthenticated } from "../users/wire.ts";
import { everybody, methodDenied, type Who, who } from "./rows.ts";
import { asking, refusal } from "./wire.ts";

/** What each method answers on a fresh instance, but for its details. */
const fresh: Record<string, JsonObject> = {
  GetLoginSettings: {
    settings: {
      allowUsernamePassword: true,
      allowRegister: true,
      allowExternalIdp: true,
      passkeysType: "PASSKEYS_TYPE_ALLOWED",
      allowDomainDiscovery: true,
      passwordCheckLifetime: "864000s",
      externalLoginCheckLifetime: "864000s",
      mfaInitSkipLifetime: "2592000s",
      secondFactorCheckLifetime: "64800s",
      multiFactorCheckLifetime: "43200s",
      secondFactors: [
        "SECOND_FACTOR_TYPE_OTP",
        "SECOND_FACTOR_TYPE_U2F",
        "SECOND_FACTOR_TYPE_OTP_EMAIL",
        "SECOND_FACTOR_TYPE_OTP_SMS",
      ],
      multiFactors: ["MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"],
      resourceOwnerType: "RESOURCE_OWNER_TYPE_INSTANCE",
    },
  },
  GetPasswordComplexitySettings: {
    settings: {
      minLength: "8",
      requiresUppercase: true,
      requiresLowercase: true,
      requiresNumber: true,
      requiresSymbol: true,
      resourceOwnerType: "RESOURCE_OWNER_TYPE_INSTANCE",
    },
  },
  GetPasswordExpirySettings: { settings: { resourceOwnerType: "RESOURCE_OWNER_TYPE_INSTANCE" } },
  GetLockoutSettings: { settings: { resourceOwnerType: "RESOURCE_OWNER_TYPE_INSTANCE" } },
};

const withContext = Object.keys(fresh);

describe.each(engines)("settings on %s", (engine) => {
  let house: House;
  let cast: Cast;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
  });
  afterAll(() => house.close());

  const details = () => ({
    sequence: expect.stringMatching(/^\d+$/) as unknown as string,
    changeDate: time,
    creationDate: time,
    resourceOwner: cast.instanceId,
  });

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    const as = (name: Who) => asking(house, "settings", who[name](cast), protocol);

    test.each(withContext)("%s answers the defaults of a fresh instance", async (method) => {
      const expected = { details: details(), ...fresh[method] };
      const seen = await as("owner")(method);
      // Newer than the generated client some protocols are asked with.
      delete (seen.settings as JsonObject).allowLocalAuthentication;
      expect(seen).toEqual(expected);
      const ofInstance = await as("owner")(method, { ctx: { instance: true } });
      delete (ofInstance.settings as JsonObject).allowLocalAuthentication;
      expect(ofInstance).toEqual(expected);
    });

    test("GetGeneralSettings names the default organization and the one language there is", async () => {
      expect(await as("orgOwner")("GetGeneralSettings")).toMatchObject({
        defaultOrgId: cast.home.id,
        defaultLanguage: "en",
        supportedLanguages: ["en"],
      });
    });

    test("GetSecuritySettings says that nobody may embed and nobody is impersonated", async () => {
      const answer = await as("viewer")("GetSecuritySettings");

      expect(answer).toEqual({ details: details(), settings: { embeddedIframe: {} } });
    });

    test("an organization's own lockout settings win over the instance's, and say so", async () => {
      const strict = { orgId: cast.strict.id };
      const answer = await as("owner")("GetLockoutSettings", { ctx: strict });
      expect(answer).toEqual({
        details: { ...details(), resourceOwner: cast.strict.id },
        settings: { maxPasswordAttempts: "2", resourceOwnerType: "RESOURCE_OWNER_TYPE_ORG" },
      });
      const byHeader = await as("owner")("GetLockoutSettings", {}, { "x-zitadel-orgid": cast.strict.id });
      expect(byHeader).toEqual(answer);
    });

    test.each(withContext)("%s: who may read policies here may read this", async (method) => {
      const readers: Who[] = [
        "owner",
        "loginClient",
        "viewer",
        "orgOwner",
        "orgUserManager",
        "permissionEditor",
      ];
      const ctx = { orgId: cast.home.id };
      for (const name of everybody) {
        if (readers.includes(name)) expect(await as(name)(method, { ctx })).toHaveProperty("settings");
        else expect([name, await refusal(as(name)(method, { ctx }))]).toEqual([name, methodDenied]);
      }
    });
  });

  const ask = (name: Who) => asking(house, "settings", who[name](cast));

  test.each([...withContext, "GetActiveIdentityProviders"])(
    "%s: the instance's own are for who has a role on the instance",
    async (method) => {
      const ctx = { instance: true };
      const readers: Who[] = ["owner", "loginClient", "viewer"];
      for (const name of everybody) {
        if (readers.includes(name)) expect(await ask(name)(method, { ctx })).toHaveProperty("details");
        else expect([name, await refusal(ask(name)(method, { ctx }))]).toEqual([name, methodDenied]);
      }
    },
  );

  test("the context counts, not the caller's organization and not the header", async () => {
    const elsewhere = { ctx: { orgId: cast.elsewhere.id } };
    expect(await refusal(ask("orgOwner")("GetLockoutSettings", elsewhere))).toEqual(methodDenied);
    const header = { "x-zitadel-orgid": cast.home.id };
    expect(await refusal(ask("orgOwner")("GetLockoutSettings", elsewhere, header))).toEqual(methodDenied);
    expect(await ask("otherOrgOwner")("GetLockoutSettings", elsewhere)).toHaveProperty("settings");
    // Whose own organization is home, where it has no role.
    expect(await refusal(ask("otherOrgOwner")("GetLockoutSettings"))).toEqual(methodDenied);
  });

  test("an empty organization id is none", async () => {
    expect(await ask("orgOwner")("GetLockoutSettings", { ctx: { orgId: "" } })).toEqual(
      await ask("orgOwner")("GetLockoutSettings"),
    );
  });

  test("an organization nobody knows is refused as the header would be", async () => {
    const unknown = refused(Code.PermissionDenied, "Organisation doesn't exist", "AUTH-Bs7Ds");
    for (const name of ["owner", "nobody"] as const) {
      expect(await refusal(ask(name)("GetLoginSettings", { ctx: { orgId: "nowhere" } }))).toEqual(unknown);
    }
  });

  test("an instance that is not is no context", async () => {
    expect(await refusal(ask("owner")("GetLoginSettings", { ctx: { instance: false } }))).toEqual({
      code: Code.InvalidArgument,
      message:
        "invalid GetLoginSettingsRequest.Ctx: embedded message failed validation | caused by: " +
        "invalid RequestContext.Instance: value must equal true",
    });
  });

  test("a word on local authentication is said twice", async () => {
    const rest = asking(house, "settings", cast.owner, "REST");
    expect(await rest("GetLoginSettings")).toMatchObject({
      settings: { allowUsernamePassword: true, allowLocalAuthentication: true },
    });
  });

  test.each(["GetGeneralSettings", "GetSecuritySettings"])("%s: who may not is told so", async (method) => {
    const readers: Record<string, Who[]> = {
      GetGeneralSettings: [
        "owner",
        "loginClient",
        "viewer",
        "orgOwner",
        "orgUserManager",
        "permissionEditor",
      ],
      GetSecuritySettings: ["owner", "loginClient", "viewer"],
    };
    for (const name of everybody) {
      if (readers[method]!.includes(name)) expect(await ask(name)(method)).toBeDefined();
      else expect([name, await refusal(ask(name)(method))]).toEqual([name, methodDenied]);
    }
  });

  test.each([...withContext, "GetActiveIdentityProviders", "GetGeneralSettings", "GetSecuritySettings"])(
    "%s needs a credential",
    async (method) => {
      const nobody = asking(house, "settings", undefined);
      expect(await refusal(nobody(method))).toEqual({
        code: Code.Unauthenticated,
        message: "auth header missing",
      });
      const stranger = asking(house, "settings", { token: "stranger" });
      expect(await refusal(stranger(method))).toEqual(unauthenticated);
    },
  );

  describe("the identity providers people may sign in with", () => {
    const provider = (
      id: string,
      name: string,
      type: "oidc" | "google",
      options: object,
      organizationId?: string,
    ) =>
      change(
        identityProviderAggregate,
        identityProviderAggregate.initialState(id),
        [
          {
            type: "idp.added" as const,
            payload: {
              ...(organizationId === undefined ? {} : { organizationId }),
              type,
              name,
              config: {},
              options: {
                isLinkingAllowed: false,
                isCreationAllowed: false,
                isAutoCreation: false,
                isAutoUpdate: false,
                autoLinking: 0,
                ...options,
              },
            },
          },
        ],
        "the operator",
      );
    const admin = () => asking(house, "admin", cast.owner);
    const active = async (filter: JsonObject = {}, protocol = protocols[0]) =>
      asking(house, "settings", cast.orgOwner, protocol as never)("GetActiveIdentityProviders", filter);
    const idsOf = ({ identityProviders = [] }: JsonObject) =>
      (identityProviders as JsonObject[]).map(({ id }) => id);

    beforeAll(async () => {
      await house.operate(async ({ db }) => {
        const events = new EventRepository(db, projections);
        // One after the other: the list is sorted by when they were added.
        await events.append([
          provider("company", "Company", "oidc", { isLinkingAllowed: true, autoLinking: 2 }),
        ]);
        await events.append([
          provider("google", "Google", "google", { isCreationAllowed: true, isAutoCreation: true }),
        ]);
        await events.append([
          provider("unoffered", "Unoffered", "oidc", {}),
          provider("of-home", "Home's", "oidc", {}, cast.home.id),
        ]);
      });
    });

    test("are none at first", async () => {
      expect(await active()).toEqual({ details: { timestamp: time } });
    });

    test.each(protocolsOn(engine))("are those that were offered, over %s", async (protocol) => {
      const ask = asking(house, "admin", cast.owner, protocol);
      const answer = { details: expect.objectContaining({ resourceOwner: cast.instanceId }) };
      expect(await ask("AddIDPToLoginPolicy", { idpId: "company" })).toEqual(answer);
      expect(await ask("AddIDPToLoginPolicy", { idpId: "google" })).toEqual(answer);
      expect(await active({}, protocol as never)).toEqual({
        details: { totalResult: "2", timestamp: time },
        identityProviders: [
          {
            id: "company",
            name: "Company",
            type: "IDENTITY_PROVIDER_TYPE_OIDC",
            options: { isLinkingAllowed: true, autoLinking: "AUTO_LINKING_OPTION_EMAIL" },
          },
          {
            id: "google",
            name: "Google",
            type: "IDENTITY_PROVIDER_TYPE_GOOGLE",
            options: { isCreationAllowed: true, isAutoCreation: true },
          },
        ],
      });
      expect(await ask("RemoveIDPFromLoginPolicy", { idpId: "company" })).toEqual(answer);
      expect(idsOf(await active())).toEqual(["google"]);
      expect(await ask("RemoveIDPFromLoginPolicy", { idpId: "google" })).toEqual(answer);
      expect(idsOf(await active())).toEqual([]);
    });

    test("are filtered by each option, and counted after that", async () => {
      await admin()("AddIDPToLoginPolicy", { idpId: "company" });
      await admin()("AddIDPToLoginPolicy", { idpId: "google" });
      const cases: [JsonObject, string[]][] = [
        [{ linkingAllowed: true }, ["company"]],
        [{ linkingAllowed: false }, ["google"]],
        [{ creationAllowed: true }, ["google"]],
        [{ creationAllowed: false }, ["company"]],
        [{ autoCreation: true }, ["google"]],
        [{ autoCreation: false }, ["company"]],
        [{ autoLinking: true }, ["company"]],
        [{ autoLinking: false }, ["google"]],
        [{ autoLinking: true, creationAllowed: true }, []],
      ];
      for (const [filter, ids] of cases) {
        const answer = await active(filter);
        expect([filter, idsOf(answer)]).toEqual([filter, ids]);
        expect((answer.details as JsonObject).totalResult ?? "0").toBe(String(ids.length));
      }
    });

    test("are offered once, exist, and are the instance's", async () => {
      expect(await refusal(admin()("AddIDPToLoginPolicy", { idpId: "google" }))).toEqual(
        refused(Code.AlreadyExists, "people may sign in with this identity provider already", "GATE-S3tIe"),
      );
      const missing = refused(
        Code.FailedPrecondition,
        "the instance has no active identity provider of this id",
        "GATE-S3tIn",
      );
      for (const idpId of ["nowhere", "of-home"]) {
        expect(await refusal(admin()("AddIDPToLoginPolicy", { idpId }))).toEqual(missing);
      }
      expect(await refusal(admin()("RemoveIDPFromLoginPolicy", { idpId: "unoffered" }))).toEqual(
        refused(Code.NotFound, "people may not sign in with this identity provider", "GATE-S3tIo"),
      );
    });

    test("are gone when they are removed", async () => {
      await house.operate(async ({ db }) => {
        const row = await db
          .selectFrom("identityProviders")
          .selectAll()
          .where("id", "=", "google")
          .executeTakeFirstOrThrow();
        const removed = { type: "idp.removed" as const, payload: {} };
        await new EventRepository(db, projections).append([
          change(identityProviderAggregate, row, [removed], "the operator"),
        ]);
      });
      expect(idsOf(await active())).toEqual(["company"]);
    });
  });

  test("a removed lockout setting of an organization leaves the instance's in force", async () => {
    await house.operate(async ({ db }) => {
      const organization = (await new OrganizationRepository(db).find(cast.strict.id))!;
      await new EventRepository(db, projections).append([
        change<typeof organization, OrganizationEvent>(
          organizationAggregate,
          organization,
          [{ type: "org.policy.lockout.removed", payload: {} }],
          "the operator",
        ),
      ]);
    });
    const answer = await ask("owner")("GetLockoutSettings", { ctx: { orgId: cast.strict.id } });
    expect(answer.settings).toEqual({ resourceOwnerType: "RESOURCE_OWNER_TYPE_INSTANCE" });
  });
});
