import type { JsonObject } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { exportPKCS8, generateKeyPair } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Refusal, refused } from "../../support/clients.ts";
import { engines } from "../../support/databases.ts";
import { type Cast, type House, startHouse } from "../../support/fixtures.ts";
import { type Protocol, protocolsOn } from "../protocols.ts";
import { asking, refusal } from "../settings/wire.ts";
import { details, permissionDenied, unauthenticated, uuid } from "../users/wire.ts";

const notFound = refused(Code.NotFound, "identity provider could not be found", "GATE-1dpNf");
const addressInvalid = refused(Code.InvalidArgument, "issuer and endpoints must be https URLs", "GATE-1dpAd");
/** What the interceptor says of a method that names a permission. */
const methodDenied: Refusal = {
  ...permissionDenied,
  id: "AUTH-5mWD2",
  message: permissionDenied.message.replace("AUTH-AWfge", "AUTH-5mWD2"),
};

const providerOptions = {
  isLinkingAllowed: true,
  isCreationAllowed: true,
  isAutoCreation: true,
  isAutoUpdate: true,
  autoLinking: "AUTO_LINKING_OPTION_EMAIL",
};
const client = { clientId: "the-client", clientSecret: "not to be seen again" };
const scopes = ["openid", "email"];
const endpoints = {
  authorizationEndpoint: "https://idp.example.com/authorize",
  tokenEndpoint: "https://idp.example.com/token",
  userEndpoint: "https://idp.example.com/user",
};

const { privateKey } = await generateKeyPair("ES256", { extractable: true });
const appleKey = Buffer.from(await exportPKCS8(privateKey)).toString("base64");

type Kind = { method: string; request: JsonObject; type: string; config: JsonObject; name?: string };

/** Each kind of provider: how it is added, and how it is read. */
const kinds: Kind[] = [
  {
    method: "AddGenericOIDCProvider",
    request: { name: "Any", issuer: "https://idp.example.com", ...client, scopes, isIdTokenMapping: true },
    type: "IDP_TYPE_OIDC",
    config: {
      oidc: { issuer: "https://idp.example.com", clientId: "the-client", scopes, isIdTokenMapping: true },
    },
  },
  {
    method: "AddGenericOAuthProvider",
    request: { name: "Any", ...client, ...endpoints, scopes, idAttribute: "id", usePkce: true },
    type: "IDP_TYPE_OAUTH",
    config: { oauth: { clientId: "the-client", ...endpoints, scopes, idAttribute: "id" } },
  },
  ...(["Google", "GitHub", "GitLab"] as const).map((brand) => ({
    method: `Add${brand}Provider`,
    request: { ...client, scopes },
    name: brand,
    type: `IDP_TYPE_${brand.toUpperCase()}`,
    config: { [brand.toLowerCase()]: { clientId: "the-client", scopes } },
  })),
  {
    method: "AddAzureADProvider",
    request: { name: "Any", ...client, scopes, tenant: { tenantId: "a-tenant" }, emailVerified: true },
    type: "IDP_TYPE_AZURE_AD",
    config: {
      azureAd: { clientId: "the-client", scopes, tenant: { tenantId: "a-tenant" }, emailVerified: true },
    },
  },
  {
    method: "AddAppleProvider",
    request: {
      clientId: "the-client",
      teamId: "TEAM567890",
      keyId: "KEY4567890",
      privateKey: appleKey,
      scopes,
    },
    name: "Apple",
    type: "IDP_TYPE_APPLE",
    config: { apple: { clientId: "the-client", teamId: "TEAM567890", keyId: "KEY4567890", scopes } },
  },
];

describe.each(engines)("identity providers on %s", (engine) => {
  let house: House;
  let cast: Cast;
  beforeAll(async () => {
    house = await startHouse(engine);
    cast = house.cast;
  });
  afterAll(() => house.close());

  const read = async (id: string, who = cast.owner, protocol: Protocol = "gRPC") =>
    (await asking(house, "idp", who, protocol)("GetIDPByID", { id })).idp as JsonObject;

  describe.each(protocolsOn(engine))("over %s", (protocol) => {
    test.each(kinds)("$method adds one to the instance, and its secret is not read again", async (kind) => {
      const { method, request, type, config, name = "Any" } = kind;
      const admin = asking(house, "admin", cast.owner, protocol);
      const added = await admin(method, { ...request, providerOptions });
      expect(added).toEqual({ id: uuid, details: details(1, cast.instanceId) });
      const idp = await read(added.id as string, cast.owner, protocol);
      expect(idp).toEqual({
        id: added.id,
        details: details(1, cast.instanceId),
        state: "IDP_STATE_ACTIVE",
        name,
        type,
        config: { options: providerOptions, ...config },
      });
      expect(JSON.stringify(idp)).not.toContain("not to be seen again");
    });

    test.each(kinds)("$method adds one to an organization", async ({ method, request, type }) => {
      const manage = asking(house, "management", cast.orgOwner, protocol);
      const added = await manage(method, request);
      expect(added).toEqual({ id: uuid, details: details(1, cast.home.id) });
      expect(await read(added.id as string, cast.orgOwner, protocol)).toMatchObject({
        type,
        details: { resourceOwner: cast.home.id },
      });
    });

    test.each([
      ["admin", "owner"],
      ["management", "orgOwner"],
    ] as const)("%s changes what differs, keeps the secret, and removes", async (service, name) => {
      const ask = asking(house, service, cast[name], protocol);
      const owner = service === "admin" ? cast.instanceId : cast.home.id;
      const oidc = { name: "One", issuer: "https://one.example.com", ...client, scopes };
      const oauth = { name: "One", ...client, ...endpoints, scopes, idAttribute: "id" };
      for (const [kind, request, changes, config] of [
        [
          "GenericOIDC",
          oidc,
          { issuer: "https://two.example.com", isIdTokenMapping: true },
          { oidc: { issuer: "https://two.example.com", isIdTokenMapping: true } },
        ],
        ["GenericOAuth", oauth, { idAttribute: "uid" }, { oauth: { idAttribute: "uid" } }],
      ] as const) {
        const { id } = await ask(`Add${kind}Provider`, { ...request, providerOptions });
        const update = (more: JsonObject) =>
          ask(`Update${kind}Provider`, { id: id!, ...request, clientSecret: "", providerOptions, ...more });
        expect(await update({})).toEqual({ details: details(1, owner) });
        expect(await update({ clientSecret: client.clientSecret })).toEqual({ details: details(1, owner) });
        expect(await update({ clientSecret: "another" })).toEqual({ details: details(2, owner) });
        expect(await update({ name: "Two", ...changes, providerOptions: {} })).toEqual({
          details: details(3, owner),
        });
        expect(await read(id as string, cast[name])).toMatchObject({ name: "Two", config });
        expect((await read(id as string, cast[name])).config).toHaveProperty("options", {});
        expect(await ask("DeleteProvider", { id: id! })).toEqual({ details: details(4, owner) });
        expect(await refusal(ask("DeleteProvider", { id: id! }))).toEqual(notFound);
        expect(await refusal(update({}))).toEqual(notFound);
        expect(await refusal(read(id as string))).toEqual(notFound);
      }
    });

    test("are only for those who may", async () => {
      const [oidc] = kinds;
      const admin = (who: { token: string } | undefined) => asking(house, "admin", who, protocol);
      const manage = (who: { token: string }) => asking(house, "management", who, protocol);
      const { id: ofInstance } = await admin(cast.owner)(oidc!.method, oidc!.request);
      const { id: ofHome } = await manage(cast.orgOwner)(oidc!.method, oidc!.request);
      const requests = (id: string): [string, JsonObject][] => [
        [oidc!.method, oidc!.request],
        ["UpdateGenericOIDCProvider", { ...oidc!.request, id }],
        ["DeleteProvider", { id }],
      ];
      for (const [method, request] of requests(ofInstance as string)) {
        for (const who of [cast.viewer, cast.loginClient, cast.orgOwner, cast.nobody]) {
          expect(await refusal(admin(who)(method, request))).toEqual(methodDenied);
        }
        expect((await refusal(admin(undefined)(method, request))).code).toBe(unauthenticated.code);
      }
      for (const [method, request] of requests(ofHome as string)) {
        for (const who of [cast.viewer, cast.otherOrgOwner, cast.permissionEditor, cast.nobody]) {
          expect(await refusal(manage(who)(method, request))).toEqual(methodDenied);
        }
      }
      const seen = (who: { token: string }, id: unknown) => read(id as string, who as never, protocol);
      for (const who of [cast.owner, cast.viewer, cast.loginClient]) {
        await seen(who, ofInstance);
        await seen(who, ofHome);
        expect(await refusal(seen(who, "nobody"))).toEqual(notFound);
      }
      await seen(cast.orgOwner, ofHome);
      for (const id of [ofInstance, "nobody"]) {
        expect(await refusal(seen(cast.orgOwner, id))).toEqual(permissionDenied);
      }
      for (const id of [ofInstance, ofHome, "nobody"]) {
        expect(await refusal(seen(cast.nobody, id))).toEqual(permissionDenied);
        expect(await refusal(seen(cast.otherOrgOwner, id))).toEqual(permissionDenied);
      }
    });

    test("are changed where they belong and nowhere else", async () => {
      const [oidc] = kinds;
      const request = oidc!.request;
      const admin = asking(house, "admin", cast.owner, protocol);
      const manage = asking(house, "management", cast.owner, protocol);
      const elsewhere = { "x-zitadel-orgid": cast.elsewhere.id };
      const { id: ofInstance } = await admin(oidc!.method, request);
      const { id: ofHome } = await manage(oidc!.method, request);
      const { id: ofElsewhere } = await manage(oidc!.method, request, elsewhere);
      expect((await read(ofElsewhere as string)).details).toMatchObject({
        resourceOwner: cast.elsewhere.id,
      });
      const remove = (ask: typeof admin, id: unknown) => refusal(ask("DeleteProvider", { id: id as string }));
      expect(await remove(admin, ofHome)).toEqual(notFound);
      expect(await remove(manage, ofInstance)).toEqual(notFound);
      expect(await remove(manage, ofElsewhere)).toEqual(notFound);
      expect(await refusal(admin("UpdateGenericOIDCProvider", { ...request, id: ofHome! }))).toEqual(
        notFound,
      );
      await manage("DeleteProvider", { id: ofElsewhere! }, elsewhere);
    });

    test.each([
      ["AddGenericOIDCProvider", { issuer: "http://idp.example.com" }, addressInvalid],
      ["AddGenericOIDCProvider", { issuer: "not a URL" }, addressInvalid],
      ["AddGenericOIDCProvider", { issuer: "javascript:alert(1)" }, addressInvalid],
      [
        "AddGenericOIDCProvider",
        { name: "  " },
        refused(Code.InvalidArgument, "name is empty", "GATE-1dpNm"),
      ],
      ["AddGenericOIDCProvider", { name: "" }, Code.InvalidArgument],
      ["AddGenericOIDCProvider", { issuer: "" }, Code.InvalidArgument],
      ["AddGenericOIDCProvider", { clientId: "x".repeat(201) }, Code.InvalidArgument],
      ["AddGenericOIDCProvider", { clientSecret: "" }, Code.InvalidArgument],
      ["AddGenericOIDCProvider", { scopes: Array(21).fill("s") }, Code.InvalidArgument],
      ["AddGenericOIDCProvider", { scopes: [""] }, Code.InvalidArgument],
      ["AddGenericOAuthProvider", { tokenEndpoint: "http://idp.example.com/token" }, addressInvalid],
      ["AddGenericOAuthProvider", { userEndpoint: "ftp://idp.example.com" }, addressInvalid],
      ["AddGenericOAuthProvider", { authorizationEndpoint: "/relative" }, addressInvalid],
      ["AddGenericOAuthProvider", { idAttribute: "" }, Code.InvalidArgument],
      ["AddAppleProvider", { teamId: "short" }, Code.InvalidArgument],
      [
        "AddAppleProvider",
        { privateKey: Buffer.from("no key").toString("base64") },
        refused(Code.InvalidArgument, "private key is no P-256 key in PKCS #8", "GATE-1dpAk"),
      ],
    ] as const)("%s is refused with %j", async (method, changes, expected) => {
      const { request } = kinds.find((kind) => kind.method === method)!;
      const answer = await refusal(
        asking(house, "admin", cast.owner, protocol)(method, { ...request, ...(changes as JsonObject) }),
      );
      if (typeof expected === "number") expect(answer.code).toBe(expected);
      else expect(answer).toEqual(expected);
    });
  });

  test("of one type are not changed into another", async () => {
    const admin = asking(house, "admin", cast.owner);
    const { id } = await admin("AddGoogleProvider", { ...client });
    const request = { ...kinds[0]!.request, id: id! };
    expect(await refusal(admin("UpdateGenericOIDCProvider", request))).toEqual(notFound);
  });

  test.each([
    [{}, "AZURE_AD_TENANT_TYPE_COMMON"],
    [{ tenantId: "" }, "AZURE_AD_TENANT_TYPE_COMMON"],
    [{ tenantType: "AZURE_AD_TENANT_TYPE_ORGANISATIONS" }, "AZURE_AD_TENANT_TYPE_ORGANISATIONS"],
    [{ tenantType: "AZURE_AD_TENANT_TYPE_CONSUMERS" }, "AZURE_AD_TENANT_TYPE_CONSUMERS"],
  ])("of Microsoft let in %j", async (tenant, tenantType) => {
    const admin = asking(house, "admin", cast.owner);
    const { id } = await admin("AddAzureADProvider", { name: "M", ...client, tenant });
    const { config } = await read(id as string);
    expect((config as JsonObject).azureAd).toMatchObject({ tenant: { tenantType } });
  });

  test("go away once, however many ask at once", async () => {
    const admin = asking(house, "admin", cast.owner);
    const { id } = await admin("AddGoogleProvider", { ...client });
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, () =>
        admin("DeleteProvider", { id: id! }).then(
          () => "ok",
          () => "refused",
        ),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === "ok")).toHaveLength(1);
  });
});
